/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/*
 * The configuration file: lines "key = value", '#' comments. Every key is a
 * row of the table in config.c with its type, default and one sentence; an
 * unknown key, a repeated key or a bad value refuses the whole file, with the
 * line number. docs/configuration.md lists them.
 */
struct config {
	const char *listen;  /* unix:/path or host:port */
	int64_t listen_mode; /* octal permissions of the socket */
	int64_t workers;
	int64_t worker_requests; /* a worker retires after so many; 0 never */
	const char *db_socket;	 /* path; empty: db_host/db_port over TCP */
	const char *db_host;
	int64_t db_port;
	const char *db_name;
	const char *db_user;
	const char *db_password_file; /* "" : no password (unix_socket auth) */
	const char *db_keeper_user;   /* cardstock-keeper */
	const char *db_keeper_password_file;
	const char *db_courier_user; /* cardstock-courier */
	const char *db_courier_password_file;
	const char *db_owner_user; /* cardstock-migrate, cardstock-audit */
	const char *db_owner_password_file;
	const char *db_tls_ca; /* CA file; empty: no TLS */
	int64_t db_connect_timeout_s;
	int64_t db_read_timeout_s;
	const char *master_key_file;
	const char *log_target; /* stderr or syslog */
	const char *log_level;	/* broken unusual client info debug */
	int64_t keeper_interval_s, keeper_batch;
	int64_t event_retention_days;
	const char *webhook_allowed_networks; /* "CIDR CIDR": inside, allowed */
	const char *webhook_ca_file;	      /* empty: the system's */
	int64_t webhook_timeout_s;
	int64_t courier_poll_ms, courier_per_endpoint, courier_in_flight;
	int64_t courier_lease_s;       /* beyond webhook_timeout_s */
	const char *cors_origins;      /* space separated; empty: CORS off */
	const char *embed_css_origins; /* space separated */
	int64_t login_cache_s;	       /* 0-5 */
	const char *billing_line1, *billing_city, *billing_state, *billing_zip,
		*billing_country;
	const char *holder_name;
};

/* Reads path over the defaults; false with a message in error otherwise. */
bool config_read(struct config *config, struct arena *arena, const char *path,
		 char *error, size_t error_size);

/* Prints every key with type, default and sentence, as a commented file. */
void config_print_reference(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_SERVICE_H
#define API_SERVICE_H

#include <stdint.h>

#include "../http/request.h"

struct arena;
struct config;
struct keyring;
struct metrics;
struct throttle;

/* One worker's service: its database connection, keys and caches. */
struct service;

struct service *service_new(const struct config *config,
			    struct keyring *keyring, struct metrics *metrics,
			    struct throttle *throttle);
void service_free(struct service *service);

/* Shaped for struct fcgi_service; context is the service. */
void service_serve(void *context, struct request *request, struct reply *reply);
void service_served(void *context, const struct request *request,
		    const struct reply *reply, int64_t duration_us);

/* Names of all routes, "GET /v1/cards/{id}" …, then "other": for metrics_new.
 */
const char *const *service_route_names(int *count);

#endif

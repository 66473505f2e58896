/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/config.h"
#include "../flow/embed.h"
#include "resources.h"

/* A card's number as a page of its own, for a frame in the client's page: the
 * request is signed by a key instead of sent with it. */

struct embed_query {
	const char *embed_request, *hmac;
};

static const struct spec_field query_fields[] = {
	IN(struct embed_query, "embed_request", SPEC_TEXT, embed_request,
	   .required = true, .ascii = true, .min = 1, .max = 4096,
	   .doc = "Base64 of a JSON object: token, and optionally css, "
		  "account_token, expiration."),
	IN(struct embed_query, "hmac", SPEC_TEXT, hmac, .required = true,
	   .ascii = true, .min = 1, .max = 128,
	   .doc = "Base64 of the HMAC-SHA256 of that object, as sent, under "
		  "the API key."),
};
static const struct spec query_spec = SPEC("EmbedQuery", query_fields);
const struct shape privacy_embed_query = {&query_spec,
					  sizeof(struct embed_query), NULL};

struct embed_input {
	const char *token, *css, *account_token, *expiration, *target_origin;
};

#define INPUT(...) IN(struct embed_input, __VA_ARGS__)
static const struct spec_field input_fields[] = {
	INPUT("token", SPEC_TEXT, token, .required = true, PRIVACY_TOKEN),
	INPUT("css", SPEC_TEXT, css, .nullable = true, .max = 2048),
	INPUT("account_token", SPEC_TEXT, account_token, .nullable = true,
	      PRIVACY_TOKEN),
	INPUT("expiration", SPEC_TEXT, expiration, .nullable = true,
	      .ascii = true, .max = 40),
	INPUT("target_origin", SPEC_TEXT, target_origin, .nullable = true,
	      .max = 2048),
};
static const struct spec input_spec = SPEC("EmbedRequest", input_fields);

/* Base64 as clients send it: either alphabet, a '+' that became a blank on the
 * way, with padding or without. False with the refusal written. */
static bool base64_param(struct call *call, const char *name, const char *value,
			 struct bytes *bytes)
{
	size_t len = strlen(value);
	char *plain = arena_alloc(call->arena, len + 3);

	while (len > 0 && value[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		plain[i] = value[i];
		if (value[i] == '-' || value[i] == ' ')
			plain[i] = '+';
		if (value[i] == '_')
			plain[i] = '/';
	}
	while (len % 4 != 0)
		plain[len++] = '=';
	bytes->data = base64_decode(call->arena, plain, &bytes->len);
	if (bytes->data == NULL)
		privacy_invalid(call, name, "must be base64");
	return bytes->data != NULL;
}

/* RFC 3339; without an offset it is UTC. */
static bool expiration_read(struct call *call, const char *text,
			    int64_t *moment)
{
	*moment = 0;
	if (text == NULL || time_parse(text, moment) ||
	    time_parse(arena_printf(call->arena, "%sZ", text), moment))
		return true;
	privacy_invalid(call, "expiration", "must be an RFC 3339 time");
	return false;
}

/* The allowed origin that a style sheet's address begins with; NULL when none
 * is, or the address has a character that has no place in one. */
static const char *css_origin(struct call *call, const char *url)
{
	const char *list = call->service->config->embed_css_origins;

	if (url == NULL)
		return NULL;
	for (const char *c = url; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || strchr("\"'<>\\^`{|}", *c) != NULL)
			return NULL;
	while (*list != '\0') {
		size_t len = strcspn(list, " ");

		if (len > 0 && strncmp(url, list, len) == 0 && url[len] == '/')
			return arena_strndup(call->arena, list, len);
		list += len + (list[len] == ' ');
	}
	return NULL;
}

static void escaped_add(struct text *page, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '&')
			text_add(page, "&amp;");
		else
			text_add_char(page, *text);
	}
}

/* css NULL: none. */
static void page_print(struct text *page, const struct card_secrets *secrets,
		       const char *css)
{
	text_add(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
		       "<meta charset=\"utf-8\">\n<title>Card</title>\n");
	if (css != NULL) {
		text_add(page, "<link rel=\"stylesheet\" href=\"");
		escaped_add(page, css);
		text_add(page, "\">\n");
	}
	text_printf(page,
		    "</head>\n<body>\n<div id=\"card\">\n"
		    "<div id=\"pan\">%s</div>\n"
		    "<div id=\"expiry\"><span id=\"month\">%02d</span>"
		    "<span id=\"separator\">/</span>"
		    "<span id=\"year\">%04d</span></div>\n"
		    "<div id=\"cvv\">%s</div>\n</div>\n</body>\n</html>\n",
		    secrets->pan, (int)secrets->exp_month,
		    (int)secrets->exp_year, secrets->cvv);
}

static void page_reply(struct call *call, const struct card_secrets *secrets,
		       const char *css)
{
	struct reply *reply = call->reply;
	const char *origin = css_origin(call, css);

	reply->status = call->route->status;
	reply->content_type = call->route->media;
	reply_header(reply, "Content-Security-Policy",
		     arena_printf(call->arena,
				  "default-src 'none'; style-src %s; "
				  "base-uri 'none'; form-action 'none'",
				  origin == NULL ? "'none'" : origin));
	reply_header(reply, "Referrer-Policy", "no-referrer");
	page_print(&reply->body, secrets, origin == NULL ? NULL : css);
}

/* Who did not sign is told no more than that. */
static void embed_refuse(struct call *call, enum error_code error)
{
	if (error == ERR_CREDENTIALS_INVALID)
		error = ERR_CREDENTIALS_AMBIGUOUS;
	reply_error(call, error, NULL);
}

/* What the signed object says, once its signature is found to be right. */
static bool embed_allowed(struct call *call, const struct embed_input *input,
			  const struct card_embed *embed, int64_t expiration)
{
	char account[ID_SIZE];

	if (expiration != 0 && expiration <= clock_now()) {
		embed_refuse(call, ERR_CREDENTIALS_INVALID);
		return false;
	}
	if (!privacy_param_id(call, "account_token", input->account_token,
			      "acct_", account))
		return false;
	if (input->account_token == NULL ||
	    strcmp(account, embed->signer->account_public_id) == 0)
		return true;
	privacy_invalid(call, "account_token", "must be the card's account");
	return false;
}

static void embed_serve(struct call *call, const struct embed_input *input,
			struct card_embed *embed, int64_t expiration)
{
	struct flow flow = call_flow(call);
	struct card_secrets *secrets;
	enum error_code error = card_embed_check(&flow, embed);

	if (error != ERR_NONE) {
		embed_refuse(call, error);
		return;
	}
	if (!embed_allowed(call, input, embed, expiration))
		return;
	error = card_embed_open(&flow, embed, &secrets);
	if (error != ERR_NONE)
		reply_error(call, error, NULL);
	else
		page_reply(call, secrets, input->css);
}

void privacy_embed_card(struct call *call)
{
	const struct embed_query *query = call->query;
	struct embed_input input = {.token = NULL};
	struct fault fault = {.code = ERR_NONE};
	struct card_embed embed;
	int64_t expiration;
	char id[ID_SIZE];

	if (!base64_param(call, "embed_request", query->embed_request,
			  &embed.message) ||
	    !base64_param(call, "hmac", query->hmac, &embed.hmac))
		return;
	if (!spec_read_body(&input_spec, call->arena, embed.message.data,
			    embed.message.len, &input, &call->json, &fault)) {
		reply_refuse(call, &fault);
		return;
	}
	if (!expiration_read(call, input.expiration, &expiration) ||
	    !privacy_param_id(call, "token", input.token, "card_", id))
		return;
	embed.public_id = id;
	embed_serve(call, &input, &embed, expiration);
}

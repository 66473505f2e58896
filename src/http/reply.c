/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "request.h"

/* RFC 9110, 15; 422 and 429 by RFC 6585's wording. */
static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{303, "See Other"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{409, "Conflict"},
	{413, "Content Too Large"},
	{415, "Unsupported Media Type"},
	{422, "Unprocessable Content"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
};

static const char *reason_of(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Status";
}

void reply_init(struct reply *reply, struct arena *arena)
{
	memset(reply, 0, sizeof(*reply));
	reply->status = 200;
	text_init(&reply->body, arena);
	text_init(&reply->headers, arena);
}

static bool header_value_valid(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	return true;
}

void reply_header(struct reply *reply, const char *name, const char *value)
{
	if (!header_value_valid(value))
		return;
	text_add(&reply->headers, name);
	text_add(&reply->headers, ": ");
	text_add(&reply->headers, value);
	text_add(&reply->headers, "\r\n");
}

void reply_print(struct text *out, const struct reply *reply,
		 const struct request *request)
{
	bool bodiless = reply->status == 204 || reply->status == 304;

	text_printf(out, "Status: %d %s\r\n", reply->status,
		    reason_of(reply->status));
	if (!bodiless) {
		text_add(out, "Content-Type: ");
		text_add(out, reply->content_type ? reply->content_type
						  : "application/json");
		text_add(out, "\r\nContent-Length: ");
		text_add_int(out, (int64_t)reply->body.len);
		text_add(out, "\r\n");
	}
	text_add(out, "X-Request-Id: ");
	text_add(out, request->request_id);
	text_add(out, "\r\nCache-Control: no-store\r\n");
	if (reply->headers.len > 0)
		text_add_n(out, reply->headers.data, reply->headers.len);
	text_add(out, "\r\n");
	if (!bodiless && request->method != METHOD_HEAD && reply->body.len > 0)
		text_add_n(out, reply->body.data, reply->body.len);
}

-- SPDX-License-Identifier: Apache-2.0
-- wrk's script: sends the requests of a file in turn and prints what it saw as
-- one line of JSON.
--
--   wrk … -s client.lua URL -- FILE plain|keyed RUN
--
-- FILE has a line per request: method, path, API key and body, with tabs
-- between. "keyed" gives each request an idempotency key that starts with RUN.

local threads = 0

function setup(thread)
	thread:set("number", threads)
	threads = threads + 1
end

local requests, at, sent, keyed, run = {}, 0, 0, false, ""

function init(args)
	keyed, run = args[2] == "keyed", args[3]
	for line in io.lines(args[1]) do
		local method, path, key, body =
			line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)$")
		local headers = { ["Host"] = "localhost" }
		if key ~= "" then
			headers["Authorization"] = "Bearer " .. key
		end
		if body ~= "" then
			headers["Content-Type"] = "application/json"
		end
		if keyed then
			headers["X-Idempotency-Key"] = "@"
		end
		local text = wrk.format(method, path, headers,
			body ~= "" and body or nil)
		if keyed then
			local head, tail = text:match(
				"^(.-X%-Idempotency%-Key: )@(.*)$")
			requests[#requests + 1] = { head, tail }
		else
			requests[#requests + 1] = text
		end
	end
	-- Threads begin at different places.
	at = math.floor(number * #requests / 2)
end

function request()
	at = at % #requests + 1
	if not keyed then
		return requests[at]
	end
	sent = sent + 1
	return requests[at][1] .. run .. "-" .. number .. "-" .. sent ..
		requests[at][2]
end

function done(summary, latency)
	local e = summary.errors
	local quantiles = {}
	-- 400 equal shares of the requests, each by its slowest: two runs can
	-- be put together from these.
	for i = 1, 400 do
		quantiles[i] = string.format("%d",
			latency:percentile(i < 400 and i / 4 or 99.95))
	end
	print(string.format(
		'RESULT {"requests":%d,"us":%d,"bytes":%d,"errors":%d,' ..
		'"refused":%d,"quantiles":[%s]}',
		summary.requests, summary.duration, summary.bytes,
		e.connect + e.read + e.write + e.timeout, e.status,
		table.concat(quantiles, ",")))
end

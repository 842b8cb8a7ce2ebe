-- Sends the requests of a file, each once and in order, then ends: exact counts, as little work as
-- possible. The file: each request after a line with its length. Run by load_generator.py.
local ffi = require("ffi")
ffi.cdef[[ int kill(int pid, int sig); int getpid(void); ]]
local INTERRUPT, FOREVER = 2, 3600000

hits, refused = 0, nil -- read by another Lua state, so global
local requests, reserved, sent, answered = {}, 0, -1, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for length in file:lines() do
    requests[#requests + 1] = file:read(tonumber(length))
  end
  file:close()
end

-- a connection for which no request is left waits until all others are answered
function delay()
  reserved = reserved + 1
  return reserved <= #requests and 0 or FOREVER
end

-- the first call is wrk's own, to look at what it gets; nothing is sent then
function request()
  sent = sent + 1
  return requests[math.max(sent, 1)]
end

function response(status, headers, body)
  answered = answered + 1
  if headers["x-cache"] == "hit" or headers["X-Cache"] == "hit" then hits = hits + 1 end
  -- a batch is answered with 200, whatever became of its commands
  if status >= 300 or body:find('"problem"', 1, true) then
    refused = refused or (status .. " " .. body:sub(-400))
  end
  if refused or answered == #requests then
    ffi.C.kill(ffi.C.getpid(), INTERRUPT)
  end
end

function setup(thread)
  the_thread = thread
end

function done(summary, latency)
  local errors = summary.errors
  io.stderr:write(the_thread:get("refused") or "")
  io.write(string.format(
    '\n{"answered": %d, "microseconds": %d, "failed": %d, "hits": %d, "percentiles": [',
    summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status,
    the_thread:get("hits")))
  for percent = 1, 99 do
    io.write(string.format("%d, ", latency:percentile(percent)))
  end
  io.write(string.format("%d]}\n", latency.max))
end

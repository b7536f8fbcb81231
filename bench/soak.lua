-- The application of `cargo xtask soak`: something of everything, and it reloads itself all the
-- time: other handlers, other limits, another number of threads.
local fiber = require 'fiber'
local httpng = require 'httpng'
local json = require 'json'

local port = tonumber(os.getenv 'SOAK_PORT') or error('SOAK_PORT is not set', 0)
local THREADS = { 1, 2, 4, 2, 0, 1 }

local large = ('x'):rep(256 * 1024)
local reloads, refused = 0, 0

-- Many small parts, then some that are too large to be copied.
local function stream(_, io)
    io:write_header(200, { ['content-type'] = 'text/plain' })
    for i = 1, 200 do
        if io:write('tick ' .. i .. '\n') then return end
        if i % 50 == 0 then fiber.sleep(0.001) end
    end
    for _ = 1, 8 do
        if io:write(large) then return end
    end
    io:close()
end

-- Two fibers write to one answer.
local function together(_, io)
    io:write_header(200)
    local function some()
        for _ = 1, 20 do
            io:write('part\n')
            fiber.yield()
        end
    end
    local other = fiber.new(some)
    other:set_joinable(true)
    some()
    other:join()
    io:close()
end

-- Reads an upload as it comes and says how long it was.
local function upload(req)
    local length = 0
    for piece in req:pieces() do length = length + #piece end
    return { body = tostring(length) }
end

-- Sends an upload back while it comes.
local function duplex(req, io)
    io:write_header(200)
    for piece in req:pieces() do
        if io:write(piece) then return end
    end
    io:close()
end

local function stats()
    collectgarbage()
    collectgarbage()
    local counters = httpng.stats()
    counters.reloads, counters.reloads_refused, counters.lua_bytes =
        reloads, refused, collectgarbage 'count' * 1024
    return { body = json.encode(counters) }
end

local function config(round)
    return {
        threads = THREADS[round % #THREADS + 1],
        thread_termination_timeout = 5,
        max_body_len = (4 + round % 2) * 1024 * 1024,
        sites = {
            { path = '/hello', handler = function() return { body = 'hello ' .. round } end },
            { path = '/stream', handler = stream },
            { path = '/together', handler = together },
            { path = '/large', handler = function() return { body = large } end },
            { path = '/echo', handler = function(req) return { body = req.body } end },
            { path = '/fail', handler = function() error 'on purpose' end },
            { path = '/wait', handler = function() fiber.sleep(0.02) end },
            { path = '/upload', handler = upload, stream = true },
            { path = '/duplex', handler = duplex, stream = true },
            { path = '/stats', handler = stats },
        },
    }
end

local round = 0
local first = config(round)
first.listen = { { addr = '127.0.0.1', port = port } }
httpng.cfg(first)
while true do
    fiber.sleep(1)
    round = round + 1
    local ok, why = pcall(httpng.cfg, config(round))
    if ok then
        reloads = reloads + 1
    elseif why:find('until threads will shut down', 1, true) then
        refused = refused + 1
    else
        error(why, 0)
    end
end

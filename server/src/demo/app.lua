-- The program that `httpng` runs when it is given none. It shows what a handler can do; it is
-- also a fair start for an application: one table of routes, one handler.
local clock = require('clock')
local fiber = require('fiber')
local httpng = require('httpng')
local json = require('json')

local page = ...
local started = clock.time()

-- The drawing's handler: a part, some work, another part, some work, the end.
local function stream(_, io)
    io:write_header(200, { ['content-type'] = 'text/plain; charset=utf-8' }, 'cast off\n')
    for _, part in ipairs({ 'half way there', 'land in sight', 'moored' }) do
        fiber.sleep(0.5) -- something useful
        if io:write(part .. '\n') then
            return -- the client left; nobody waits for the rest
        end
    end
    io:close()
end

local function echo(req)
    return {
        status = 200,
        headers = { ['content-type'] = 'application/json' },
        body = json.encode({
            method = req.method,
            path = req.path,
            query = req.query,
            version = ('HTTP/%d.%d'):format(req.version_major, req.version_minor),
            host = req.host,
            https = req.https or false,
            headers = req.headers,
            body = req.body,
            peer = req.peer,
        }),
    }
end

local function counters_now()
    local now = httpng.stats()
    now.lua_kib = math.floor(collectgarbage('count'))
    now.uptime = math.floor(clock.time() - started)
    return json.encode(now)
end

-- Server-sent events: one request that lasts until the page is closed, or the server is to end.
local function counters(_, io)
    io:write_header(200, { ['content-type'] = 'text/event-stream', ['cache-control'] = 'no-store' })
    repeat
        local left = io:write('data: ' .. counters_now() .. '\n\n')
        if not left then
            fiber.sleep(0.5)
        end
    until left or httpng.stats().draining ~= 0
end

local function fail()
    error('this handler fails on purpose')
end

local function index()
    return {
        status = 200,
        headers = { ['content-type'] = 'text/html; charset=utf-8' },
        body = page,
    }
end

local routes = { ['/'] = index, ['/stream'] = stream, ['/counters'] = counters, ['/error'] = fail }

httpng.cfg({
    handler = function(req, io)
        local route = routes[req.path]
        if not route and req.path:find('^/echo') then
            route = echo
        end
        if not route then
            return { status = 404, body = 'There is nothing at ' .. req.path .. '\n' }
        end
        return route(req, io)
    end,
})

-- What httpng answers to whom loads it: the handlers of `httpng.lua` and of `icount.lua`.
local fiber = require 'fiber'

local octets = { ['content-type'] = 'application/octet-stream' }
local text = { ['content-type'] = 'text/plain' }
local part = ('x'):rep(16 * 1024)
local tick = ('x'):rep(16)
local body_64k = ('x'):rep(64 * 1024)
-- Made when somebody asks for it: a server whose memory is looked at shall not have it.
local body_1m

-- How many handlers of `/wait` wait.
local waiting = 0

local function hello()
    return { status = 200, headers = text, body = 'Hello, World!\n' }
end

local function ticks(_, io)
    io:write_header(200, octets)
    for _ = 1, 1000 do
        io:write(tick)
    end
    io:close()
end

-- By path. An upvalue, not a field: the look-up is counted with the handler.
local routes = {
    ['/hello'] = hello,
    ['/fields'] = function(req)
        local seen = { req.method, req.path, req.query, req.host, req.headers['user-agent'] }
        return { status = 200, headers = text, body = table.concat(seen, ' ') }
    end,
    ['/64k'] = function()
        return { status = 200, headers = octets, body = body_64k }
    end,
    ['/1m'] = function()
        body_1m = body_1m or ('x'):rep(1024 * 1024)
        return { status = 200, headers = octets, body = body_1m }
    end,
    ['/stream'] = function(_, io)
        io:write_header(200, octets)
        for _ = 1, 64 do
            io:write(part)
        end
        io:close()
    end,
    ['/ticks'] = ticks,
    -- A part is on its way when it is written: there is nothing to flush.
    ['/ticks-flushed'] = ticks,
    ['/echo'] = function(req)
        return { status = 200, headers = octets, body = req.body }
    end,
    ['/wait'] = function()
        waiting = waiting + 1
        fiber.sleep(600)
        waiting = waiting - 1
        return hello()
    end,
    ['/waiting'] = function()
        return { status = 200, headers = text, body = tostring(waiting) }
    end,
}

-- The handler that looks them up.
local function answer(req, io)
    local route = routes[req.path]
    if route then
        return route(req, io)
    end
    return { status = 404, body = 'no such path\n' }
end

return { routes = routes, hello = hello, answer = answer }

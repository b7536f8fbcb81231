-- The application whose instructions are counted. Arguments: port, a folder of files.
local httpng = require 'httpng'

local port, folder = ...
local text = { ['content-type'] = 'text/plain' }
local part = ('x'):rep(16 * 1024)
local tick = ('x'):rep(16)
local body_64k = ('x'):rep(64 * 1024)

local routes = {
    ['/hello'] = function()
        return { status = 200, headers = text, body = 'Hello, World!\n' }
    end,
    ['/fields'] = function(req)
        local seen = { req.method, req.path, req.query, req.host, req.headers['user-agent'] }
        return { status = 200, headers = text, body = table.concat(seen, ' ') }
    end,
    ['/64k'] = function()
        return { status = 200, headers = text, body = body_64k }
    end,
    ['/stream'] = function(_, io)
        io:write_header(200, text)
        for _ = 1, 64 do
            io:write(part)
        end
        io:close()
    end,
    ['/ticks'] = function(_, io)
        io:write_header(200, text)
        for _ = 1, 1000 do
            io:write(tick)
        end
        io:close()
    end,
    ['/echo'] = function(req)
        return { status = 200, headers = text, body = req.body }
    end,
}

httpng.cfg {
    listen = '127.0.0.1:' .. port,
    sites = { { path = '/files', handler = folder } },
    handler = function(req, io)
        local route = routes[req.path]
        if route then
            return route(req, io)
        end
        return { status = 404, body = 'no such path\n' }
    end,
}

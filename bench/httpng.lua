-- The benchmark's application on httpng.
local httpng = require 'httpng'

local function env(name)
    local value = os.getenv(name)
    if not value then
        error(name .. ' is not set', 0)
    end
    return value
end

local work = dofile(arg[0]:match('^(.*)/') .. '/work.lua')
local loops = tonumber(env 'BENCH_LOOPS_PER_US')

local octets = { ['content-type'] = 'application/octet-stream' }
local text = { ['content-type'] = 'text/plain' }
local part = ('x'):rep(16 * 1024)
local tick = ('x'):rep(16)
local body_64k = ('x'):rep(64 * 1024)
local body_1m = ('x'):rep(1024 * 1024)

local routes = {
    ['/hello'] = function()
        return { status = 200, headers = text, body = 'Hello, World!\n' }
    end,
    ['/lua20'] = function()
        work(20 * loops)
        return { status = 200, headers = text, body = 'Hello, World!\n' }
    end,
    ['/lua100'] = function()
        work(100 * loops)
        return { status = 200, headers = text, body = 'Hello, World!\n' }
    end,
    ['/64k'] = function()
        return { status = 200, headers = octets, body = body_64k }
    end,
    ['/1m'] = function()
        return { status = 200, headers = octets, body = body_1m }
    end,
    ['/stream'] = function(_, io)
        io:write_header(200, octets)
        for _ = 1, 64 do
            io:write(part)
        end
        io:close()
    end,
    ['/ticks'] = function(_, io)
        io:write_header(200, octets)
        for _ = 1, 1000 do
            io:write(tick)
        end
        io:close()
    end,
    ['/echo'] = function(req)
        return { status = 200, headers = octets, body = req.body }
    end,
}

httpng.cfg {
    listen = {
        { addr = '127.0.0.1', port = tonumber(env 'BENCH_PORT') },
        {
            addr = '127.0.0.1',
            port = tonumber(env 'BENCH_TLS_PORT'),
            tls = {
                {
                    certificate_file = env 'BENCH_CERTIFICATE',
                    certificate_key_file = env 'BENCH_KEY',
                },
            },
        },
    },
    threads = tonumber(env 'BENCH_THREADS'),
    sites = { { path = '/files', handler = env 'BENCH_FILES' } },
    handler = function(req, io)
        local route = routes[req.path]
        if route then
            return route(req, io)
        end
        return { status = 404, body = 'no such path\n' }
    end,
}

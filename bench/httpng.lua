-- The benchmark's application on httpng.
local httpng = require 'httpng'

local function env(name)
    local value = os.getenv(name)
    if not value then
        error(name .. ' is not set', 0)
    end
    return value
end

local folder = arg[0]:match('^(.*)/')
local handlers = dofile(folder .. '/handlers.lua')
local work = dofile(folder .. '/work.lua')
local loops = tonumber(env 'BENCH_LOOPS_PER_US')

handlers.routes['/lua20'] = function()
    work(20 * loops)
    return handlers.hello()
end
handlers.routes['/lua100'] = function()
    work(100 * loops)
    return handlers.hello()
end

local listen = { { addr = '127.0.0.1', port = tonumber(env 'BENCH_PORT') } }
if os.getenv 'BENCH_TLS_PORT' then
    listen[2] = {
        addr = '127.0.0.1',
        port = tonumber(env 'BENCH_TLS_PORT'),
        tls = {
            {
                certificate_file = env 'BENCH_CERTIFICATE',
                certificate_key_file = env 'BENCH_KEY',
            },
        },
    }
end

httpng.cfg {
    listen = listen,
    threads = tonumber(env 'BENCH_THREADS'),
    -- As in nginx's: a crowd that is idle shall stay. Its number is below every default.
    idle_timeout = 600,
    sites = { { path = '/files', handler = env 'BENCH_FILES' } },
    handler = handlers.answer,
}

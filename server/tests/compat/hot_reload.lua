-- Handlers that are exchanged for ever while the server runs.
local fiber = require 'fiber'
local httpng = require 'httpng'

local function says(text)
    return function() return { status = 200, body = text } end
end

local config = { threads = 2, listen = { { addr = '127.0.0.1', port = 0 } } }
while true do
    config.handler = says 'foo'
    config.sites = { { path = '/sub', handler = says 'FOO' } }
    httpng.cfg(config)
    config.listen = nil -- it was filled in by the first call and may not be given again
    fiber.sleep(0.005)

    config.handler = says 'bar'
    config.sites = { { path = '/sub', handler = says 'BAR' } }
    httpng.cfg(config)
    fiber.sleep(0.005)
end

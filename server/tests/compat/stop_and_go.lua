-- The server is shut down after a while and started again, for ever.
local fiber = require 'fiber'
local httpng = require 'httpng'

local round = 0
while true do
    round = round + 1
    local number = round
    httpng.cfg {
        listen = { { addr = '127.0.0.1', port = 0 } },
        handler = function() return { body = 'round ' .. number } end,
    }
    fiber.sleep(0.2)
    httpng.shutdown()
end

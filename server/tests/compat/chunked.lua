-- Headers of `io` go with a header that is written without any, and parts follow one by one.
local fiber = require 'fiber'
local httpng = require 'httpng'

httpng.cfg {
    listen = 0,
    threads = 4,
    handler = function(_, io)
        io.headers['x-req-id'] = 'abc'
        io:write_header(200)
        io:write('some data+')
        fiber.sleep(0.01)
        io:write('some data!')
        io:close()
    end,
}

-- Reads and writes at once: each piece of the request's body is answered before the next one comes.
--     httpng examples/duplex.lua
--     (echo one; sleep 1; echo two) | curl -sNT - http://localhost:3300/
local httpng = require('httpng')

httpng.cfg({
    stream = true,
    handler = function(req, io)
        io:write_header(200, { ['content-type'] = 'text/plain' })
        for piece in req:pieces() do
            -- true: the client left.
            if io:write(piece:upper()) then
                return
            end
        end
        io:close()
    end,
})

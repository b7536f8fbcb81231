-- A response in several writes; other requests are served while the handler works.
--     httpng examples/streaming.lua
--     curl -N http://localhost:3300/
local fiber = require('fiber')
local httpng = require('httpng')

local function something_useful()
    fiber.sleep(0.5)
end

httpng.cfg({
    handler = function(_, io)
        io:write_header(200, { ['content-type'] = 'text/plain' }, 'The head and a first part,\n')
        something_useful()

        -- true: the client left. Its shuttle is home already, so this returns at once otherwise.
        if io:write('then another part,\n') then
            return
        end
        something_useful()

        io:write('and the last one.\n')
        io:close()
        something_useful() -- the client does not wait for this
    end,
})

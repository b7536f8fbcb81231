-- The smallest server.      httpng examples/hello.lua
-- Then:                     curl http://localhost:3300/
local httpng = require('httpng')

httpng.cfg({
    handler = function(req)
        return { status = 200, body = 'Hello from ' .. req.path .. '\n' }
    end,
})

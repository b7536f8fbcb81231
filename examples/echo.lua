-- Answers with what it was sent, and tells in JSON what it saw.
--     httpng examples/echo.lua
--     curl -d 'some text' http://localhost:3300/
--     curl 'http://localhost:3300/inspect?a=b'
local httpng = require('httpng')
local json = require('json')

local function inspect(req)
    return {
        headers = { ['content-type'] = 'application/json' },
        body = json.encode({
            method = req.method,
            path = req.path,
            query = req.query,
            host = req.host,
            headers = req.headers,
            peer = req.peer,
        }) .. '\n',
    }
end

httpng.cfg({
    handler = function(req)
        if req.path == '/inspect' then
            return inspect(req)
        end
        return { headers = { ['content-type'] = req.headers['content-type'] }, body = req.body }
    end,
})

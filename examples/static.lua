-- A folder, and a handler beside it.   httpng examples/static.lua
-- Then:                                curl -i http://localhost:3300/
--                                      curl -i -H 'Range: bytes=0-99' http://localhost:3300/style.css
--                                      curl -i http://localhost:3300/time
-- Files are served by the worker thread; Lua does not hear of them.
local clock = require('clock')
local httpng = require('httpng')

local here = arg[0]:match('^(.*)/[^/]*$') or '.'

httpng.cfg({
    sites = {
        {
            path = '/time',
            handler = function()
                return { body = ('%d\n'):format(clock.time()) }
            end,
        },
    },
    handler = { folder = here .. '/static', cache_control = 'max-age=60' },
})

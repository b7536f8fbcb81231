-- The application whose instructions are counted. Arguments: port, a folder of files.
local httpng = require 'httpng'
local handlers = dofile(arg[0]:match('^(.*)/') .. '/handlers.lua')

local port, folder = ...

httpng.cfg {
    listen = '127.0.0.1:' .. port,
    sites = { { path = '/files', handler = folder } },
    handler = handlers.answer,
}

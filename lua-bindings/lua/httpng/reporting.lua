-- `httpng.reporting`: what `httpng.cfg` says of logs, names of requests, and error pages.
local log = require('log')

local reporting = {}

---@class httpng.access_log
---@field file? string `'-'` (the default) is standard output
---@field format? 'combined'|'json' default combined

local FORMATS = { combined = true, json = true }
local OPTIONS = { file = true, format = true }

---@return httpng.access_log?
local function read_log(value)
    if value == nil or value == false then return nil end
    if type(value) == 'string' then value = { file = value } end
    if type(value) ~= 'table' then error('access_log is not a string or a table', 0) end
    for name in pairs(value) do
        if not OPTIONS[name] then
            log.warn('access_log has no option "%s": it has no effect', tostring(name))
        end
    end
    local file = value.file == nil and '-' or value.file
    local format = value.format == nil and 'combined' or value.format
    if type(file) ~= 'string' or file == '' or file:find('\0', 1, true) then
        error('access_log.file is not the name of a file', 0)
    end
    if not FORMATS[format] then
        error('access_log.format is not "combined" or "json"', 0)
    end
    return { file = file, format = format }
end

---Reads the options of this part into `new`.
---@param new table
---@param option fun(name: string): any
function reporting.read(new, option)
    new.access_log = read_log(option('access_log'))
    for _, name in ipairs(reporting.FLAGS) do new[name] = option(name) and true or false end
end

-- Whatever is neither nil nor false is true.
reporting.FLAGS = { 'request_id', 'trust_request_id', 'development' }

return reporting

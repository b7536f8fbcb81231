-- `log`: lines for the program's log, by Tarantool's names.
local core = ...
local json = require('json')

---@class log
local log = {}
log.__index = log

local LEVELS = { error = 1, warn = 2, info = 3, verbose = 4, debug = 5 }

---What `log.info(value)` prints of a value that is no format.
local function plain(value)
    if type(value) == 'table' then
        local meta = getmetatable(value)
        if not (meta and meta.__tostring) then
            local ok, text = pcall(json.encode, value)
            if ok then return text end
        end
    end
    return tostring(value)
end

local function message(format, ...)
    if select('#', ...) > 0 then
        if type(format) ~= 'string' then format = plain(format) end
        local ok, text = pcall(string.format, format, ...)
        if ok then return text end
        -- A mistake in a format must not lose the line, nor stop the program.
        local parts = { format }
        for i = 1, select('#', ...) do parts[#parts + 1] = plain((select(i, ...))) end
        return table.concat(parts, ' ')
    end
    return plain(format)
end

---@param level integer
local function writer(level)
    local enabled, write = core.enabled, core.write
    ---@param self any the format, or the logger when called as a method
    return function(self, ...)
        if not enabled(level) then return end
        if type(self) == 'table' and getmetatable(self) == log then
            write(level, message(...), self.name)
        else
            write(level, message(self, ...))
        end
    end
end

--- Logs an error. More arguments are put into the first by `string.format`; a table is printed as
--- JSON.
---@type fun(format: any, ...: any)
log.error = writer(LEVELS.error)
---@type fun(format: any, ...: any)
log.warn = writer(LEVELS.warn)
---@type fun(format: any, ...: any)
log.info = writer(LEVELS.info)
---@type fun(format: any, ...: any)
log.verbose = writer(LEVELS.verbose)
---@type fun(format: any, ...: any)
log.debug = writer(LEVELS.debug)

---A logger whose lines carry a name.
---@param name string
---@return log
function log.new(name)
    if type(name) ~= 'string' then error("log.new: the name is not a string", 2) end
    return setmetatable({ name = name }, log)
end

return setmetatable(log, {
    __call = function(_, ...) return log.info(...) end,
})

-- `json`: text to values and back, by Tarantool's names.
local core = ...
local ffi = require('ffi')

---@class json
local json = {}

---`null` of JSON: equals nil, but stands in a table.
---@type ffi.cdata*
json.NULL = ffi.cast('void *', 0)
json.null = json.NULL

--- Metatables that say what a table is: `setmetatable({}, json.array_mt)` is `[]`, as an empty
--- table is anyway.
json.array_mt = { __serialize = 'seq' }
json.map_mt = { __serialize = 'map' }

local DIGITS = { __serialize = 'digits' }
local INT64, UINT64 = ffi.typeof('int64_t'), ffi.typeof('uint64_t')

---Replaces what the verbs cannot see: 64-bit integers, NULL, and tables that serialize themselves.
local function prepared(value, depth)
    local kind = type(value)
    if kind == 'cdata' then
        if value == nil then return core.null() end
        if ffi.istype(INT64, value) or ffi.istype(UINT64, value) then
            return setmetatable({ (tostring(value):gsub('U?LL$', '')) }, DIGITS)
        end
        return tostring(value)
    end
    if kind ~= 'table' or depth > 128 then return value end
    local meta = getmetatable(value)
    local serialize = type(meta) == 'table' and rawget(meta, '__serialize')
    if type(serialize) == 'function' then return prepared(serialize(value), depth + 1) end
    local copy = {}
    for k, v in next, value do copy[k] = prepared(v, depth + 1) end
    if type(serialize) == 'string' then setmetatable(copy, { __serialize = serialize }) end
    return copy
end

---JSON of a value. Tables are arrays if their keys are natural numbers (an empty one too), else
---objects; a metatable's `__serialize` (`'seq'`, `'map'` or a function) decides otherwise. Errors
---say where.
---@param value any
---@return string
function json.encode(value)
    local ok, text = pcall(core.encode, value)
    if ok and not text then ok, text = pcall(core.encode, prepared(value, 0)) end
    if not ok then error(text, 2) end
    return text
end

---The value of a JSON text; null becomes `json.NULL`. Errors say where.
---@param text string
---@return any
function json.decode(text)
    local ok, value = pcall(core.decode, text, json.NULL, json.map_mt)
    if not ok then error(value, 2) end
    return value
end

return json

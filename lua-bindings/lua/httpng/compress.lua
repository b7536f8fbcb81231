-- `httpng.compress`: what `httpng.cfg` says of the compression of answers.
local log = require('log')

local compress = {}

---@class httpng.compress
---@field codings? ('br'|'zstd'|'gzip')[] what is offered; of those that a client likes equally the first is taken
---@field types? string[] media types that are compressed; one `*` in each stands for anything
---@field min_bytes? integer shorter bodies go as they are, default 1024
---@field level? integer 1 (fast) to 9 (small); default: what suits the coding

local CODINGS = { br = true, zstd = true, gzip = true }
local OPTIONS = { codings = true, types = true, min_bytes = true, level = true }
local MIN_BYTES_MAX = 2 ^ 53

local function fail(message, ...) error(message:format(...), 0) end

local function is_null(value) return value == nil end

---A list of strings, each of which `read` takes; nil if it was not given.
local function read_list(value, name, read)
    if is_null(value) then return nil end
    if type(value) ~= 'table' then fail('%s is not a table', name) end
    local list = {}
    for place, one in ipairs(value) do
        if type(one) ~= 'string' then fail('%s[%d] is not a string', name, place) end
        list[place] = read(one, ('%s[%d]'):format(name, place))
    end
    if #list == 0 then fail('%s is empty', name) end
    return list
end

local function read_coding(value, name)
    if not CODINGS[value] then fail('%s is not "br", "zstd" or "gzip"', name) end
    return value
end

local function read_type(value, name)
    local _, stars = value:gsub('%*', '')
    if stars > 1 or not value:find('^[%w!#$&^_.+*-]+/[%w!#$&^_.+*-]+$') then
        fail('%s is not a media type', name)
    end
    return value:lower()
end

local function read_integer(value, name, min, max)
    if is_null(value) then return nil end
    if type(value) ~= 'number' or value ~= math.floor(value) or value < min or value > max then
        fail('%s is not an integer from %d to %.0f', name, min, max)
    end
    return value
end

---The normal form of one option: false is off.
---@param value any
---@param name string what to call it in errors
---@return httpng.compress|false
function compress.read(value, name)
    if is_null(value) or value == false then return false end
    if value == true then return {} end
    if type(value) ~= 'table' then fail('%s is not a boolean or a table', name) end
    for key in pairs(value) do
        if not OPTIONS[key] then
            log.warn('%s has no option "%s": it has no effect', name, tostring(key))
        end
    end
    return {
        codings = read_list(value.codings, name .. '.codings', read_coding),
        types = read_list(value.types, name .. '.types', read_type),
        min_bytes = read_integer(value.min_bytes, name .. '.min_bytes', 0, MIN_BYTES_MAX),
        level = read_integer(value.level, name .. '.level', 1, 9),
    }
end

---What each site says itself of `compress`, or all do. Files are not compressed as they go.
---@param list table[] the sites
---@param all any `cfg.compress`
function compress.settle(list, all)
    local usual = compress.read(all, 'compress')
    for _, site in ipairs(list) do
        local own = site.compress
        if is_null(own) then
            site.compress = usual
        else
            site.compress = compress.read(own, 'sites[].compress')
            if site.files and site.compress then
                log.warn('sites[].compress of "%s" has no effect: files lie ready compressed,'
                    .. ' see "precompressed"', site.path)
            end
        end
    end
end

return compress

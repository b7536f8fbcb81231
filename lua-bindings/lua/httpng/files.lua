-- `httpng.files`: handlers that are folders, served by the worker without Lua.
local log = require('log')

local files = {}

---A folder with options. `index` stands for the folder it is in; `precompressed` lets a file that
---ends in `.br`, `.zst` or `.gz` as well be sent in place of the one without, to clients that take it.
---@class httpng.folder
---@field folder string
---@field index? string default `'index.html'`
---@field precompressed? boolean default true
---@field cache_control? string value of the header field; none by default

local OPTIONS = { folder = true, index = true, precompressed = true, cache_control = true }

---@param handler any
---@return boolean
local function is_folder(handler)
    if type(handler) == 'string' then return true end
    local meta = getmetatable(handler)
    local is_callable = type(meta) == 'table' and meta.__call ~= nil
    return type(handler) == 'table' and not is_callable and handler.folder ~= nil
end

local function text(handler, name, what)
    local value = handler[name]
    if value == nil then return nil end
    if type(value) ~= 'string' then error(('%s.%s is not a string'):format(what, name), 0) end
    return value
end

---What a handler says of a folder; nil when it is none.
---@param handler any
---@param what string how the option is called
---@return httpng.folder?
function files.read(handler, what)
    if not is_folder(handler) then return nil end
    if type(handler) == 'string' then handler = { folder = handler } end
    for name in pairs(handler) do
        if not OPTIONS[name] then
            log.warn('%s has no option "%s": it has no effect', what, tostring(name))
        end
    end
    return {
        folder = text(handler, 'folder', what),
        index = text(handler, 'index', what) or 'index.html',
        precompressed = handler.precompressed == nil or handler.precompressed and true or false,
        cache_control = text(handler, 'cache_control', what),
    }
end

---A handler of a path stays of its kind: what was asked of the one cannot be asked of the other.
---@param before {files: httpng.folder?} the site as it was
---@param site {files: httpng.folder?} as it is to be
function files.check_replaced(before, site)
    if not before.files and site.files then
        error('replacing Lua handler with file handler is not supported', 0)
    elseif before.files and not site.files then
        error('replacing file handler with Lua handler is not supported', 0)
    end
end

return files

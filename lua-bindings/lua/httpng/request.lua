-- `httpng.request`: what a request says beyond its fields: parameters, cookies, JSON, forms. A
-- mistake of the client is `nil` and a text, which a handler may answer as it is; a mistake of the
-- program raises.
local core = ...
local json = require('json')

---@class httpng.request
local request = {}

---The first value of each name.
---@return table<string, any>
local function firsts(items)
    local first = {}
    for _, item in ipairs(items) do
        if first[item[1]] == nil then first[item[1]] = item[2] end
    end
    return first
end

local function name_of(name, what)
    if type(name) ~= 'string' then error(what .. ': the name is not a string', 3) end
    return name
end

-- Parameters ----------------------------------------------------------------------------------

-- Made once for each request.
local function pairs_of(self)
    local items = rawget(self, '_params')
    if not items then
        items = core.pairs(self.query or '')
        rawset(self, '_params', items)
    end
    return items
end

---The first value of a parameter of the query, decoded; nil if there is none. One without `=` is
---`''`.
---@param name string
---@return string?
function request:param(name)
    name_of(name, 'req:param')
    for _, item in ipairs(pairs_of(self)) do
        if item[1] == name then return item[2] end
    end
    return nil
end

---All values of a parameter of the query, decoded, in their order.
---@param name string
---@return string[]
function request:param_values(name)
    name_of(name, 'req:param_values')
    local values = {}
    for _, item in ipairs(pairs_of(self)) do
        if item[1] == name then values[#values + 1] = item[2] end
    end
    return values
end

---All parameters of the query: the first value of each.
---@return table<string, string>
function request:params()
    return firsts(pairs_of(self))
end

-- Cookies -------------------------------------------------------------------------------------

---All cookies that the client sent: of two with one name the first, which is the more specific one.
---Values are as they were sent, without quotes around them.
---@return table<string, string>
function request:cookies()
    local cookies = {}
    for pair in (self.headers.cookie or ''):gmatch('[^;]+') do
        local name, value = pair:match('^%s*(.-)%s*=%s*(.-)%s*$')
        if name and name ~= '' and cookies[name] == nil then
            cookies[name] = value:match('^"(.*)"$') or value
        end
    end
    return cookies
end

---A cookie that the client sent; nil if there is none.
---@param name string
---@return string?
function request:cookie(name)
    return self:cookies()[name_of(name, 'req:cookie')]
end

-- Bodies --------------------------------------------------------------------------------------

---The body as JSON. In a site that streams it is waited for. For a body that is none, or not whole:
---nil, what is wrong and where, and 400, 408 or 413.
---@return any value
---@return string? why
---@return integer? status
function request:json()
    local body, incomplete, status = rawget(self, 'body'), nil, nil
    if not body then body, incomplete, status = core.whole_body(self) end
    if not body then return nil, incomplete, status end
    if body == '' then return nil, 'the body is empty, not JSON', 400 end
    local ok, value = pcall(json.decode, body)
    if ok then return value end
    return nil, 'the body is no JSON: ' .. tostring(value), 400
end

---A file of a form. It is temporary: it goes when the request is over, unless it is saved.
---@class httpng.file
---@field filename string what the client calls it; no path to be trusted
---@field content_type? string what the client says it is
---@field size integer bytes
---@field path string where it is until then
local file = {}
file.__index = file

---Moves the file. What is there is replaced. The fiber waits while another thread does it.
---@param path string
---@return true? ok
---@return string? why
function file:save(path)
    if type(path) ~= 'string' then error('file:save: the path is not a string', 2) end
    return core.save_file(self._req, self.path, path)
end

---What is in the file. The fiber waits while another thread reads it.
---@return string? content
---@return string? why
function file:read()
    return core.read_file(self._req, self.path)
end

---What a call accepts.
---@class httpng.form_options
---@field max_fields? integer fields, default 1000
---@field max_fields_bytes? integer bytes of all names and values, default 1 MiB
---@field max_files? integer files, default 64
---@field max_file_bytes? integer bytes of each file, default 1 GiB
local OPTIONS = {
    max_fields = true, max_fields_bytes = true, max_files = true, max_file_bytes = true,
}

local function check(options)
    if options == nil then return end
    if type(options) ~= 'table' then error('req:form: the options are not a table', 3) end
    for name, value in pairs(options) do
        if not OPTIONS[name] then
            error(('req:form has no option "%s"'):format(tostring(name)), 3)
        end
        if type(value) ~= 'number' then
            error(('req:form: %s is not a number'):format(name), 3)
        end
    end
end

---The body as a form, urlencoded or multipart. By name: the first value, a string, or a file. From 1
---on, in their order: `{ name, value }`, and in `value` a string or a file. For a body that is none:
---nil, what is wrong, and 400, 408, 413 or 415. To be called once; files are written by other threads
---while the fiber waits. In a site that streams it is read as it arrives.
---@param options? httpng.form_options
---@return table<string|integer, any>? form
---@return string? why
---@return integer? status
function request:form(options)
    check(options)
    local items, why, status = core.form(self, self.headers['content-type'] or '', options)
    if not items then return nil, why, status end
    for _, item in ipairs(items) do
        if item.path then
            item[2] = setmetatable({
                filename = item.filename, content_type = item.content_type, size = item.size,
                path = item.path, _req = self,
            }, file)
            item.filename, item.content_type, item.size, item.path = nil, nil, nil, nil
        end
    end
    local form = firsts(items)
    for place, item in ipairs(items) do form[place] = item end
    return form
end

return request

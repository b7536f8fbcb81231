-- `httpng.router`: handlers by path, method and host.
--
-- The first route in order that fits answers. Routes without placeholders are found by a look-up,
-- so that their number costs a request nothing; only those with placeholders are tried one by one.

local core = ...

---@class httpng.router
---@field package _routes httpng.route[] in their order
---@field package _literals table<string, httpng.route[]> those without placeholders, by path
---@field package _patterns httpng.route[] the others
---@field package _names table<string, httpng.route>
---@field package _streams boolean some route reads bodies while they come
local router = {}
router.__index = router

---@class httpng.route
---@field package at integer its place in the order
---@field package path string
---@field package pattern? string
---@field package names string[] of its placeholders
---@field package methods? table<string, boolean>
---@field package hosts? table<string, boolean>
---@field package name? string
---@field package stream boolean
---@field package handler fun(req: httpng.request, io: httpng.io): table?

---What a route is added by.
---@class httpng.route.options
---@field path string literal, but for `:name`, `<name>`, `<:name>` (one segment) and `*name`, `<*name>` (the rest)
---@field method? string|string[] default: any. GET serves HEAD too
---@field host? string|string[] default: any; in any case, without a port
---@field name? string for `delete` and `before`
---@field before? string the name of a route that is to be tried after this one
---@field stream? boolean the handler reads the body while it comes

-- As many captures as a pattern of Lua may have.
local PLACEHOLDERS_MAX_COUNT = 32

-- Adding ----------------------------------------------------------------------------------------

---Splits a path into literal pieces and placeholders.
---@return string lua_pattern
---@return string[] names
local function compile(path)
    local names, pattern, at = {}, { '^' }, 1
    local function literal(text)
        pattern[#pattern + 1] = (text:gsub('[%^%$%(%)%%%.%[%]%*%+%-%?]', '%%%0'))
    end
    while at <= #path do
        local from, to, kind, name = path:find('^<([:*#]?)([%w_]+)>', at)
        if not from then from, to, kind, name = path:find('^([:*#])([%w_]+)', at) end
        if from then
            names[#names + 1] = name
            pattern[#pattern + 1] = kind == '*' and '(.*)' or '([^/]+)'
            at = to + 1
        else
            local stop = path:find('[<:*#]', at + 1) or #path + 1
            literal(path:sub(at, stop - 1))
            at = stop
        end
    end
    pattern[#pattern + 1] = '$'
    return table.concat(pattern), names
end

---A string or a list of them as a set; nil stays nil.
local function set_of(value, convert)
    if value == nil then return nil end
    local set = {}
    for _, one in ipairs(type(value) == 'table' and value or { value }) do
        set[convert(one)] = true
    end
    return set
end

---@return boolean # whether it is a string, or a list with nothing but strings in it
local function is_text(value)
    if type(value) ~= 'table' then return type(value) == 'string' end
    for key, one in pairs(value) do
        if type(key) ~= 'number' or type(one) ~= 'string' then return false end
    end
    return #value > 0
end

local function method_of(text) return text end

local function host_of(text)
    return (text:lower():gsub(':%d+$', ''))
end

local function methods_of(value)
    local set = set_of(value, method_of)
    if not set or set.ANY then return nil end
    if set.GET then set.HEAD = true end
    return set
end

---What is wrong with options of `route` or `delete`, or nil.
local function mistake(options)
    for _, field in ipairs({ 'path', 'name', 'before' }) do
        local kind = type(options[field])
        if kind ~= 'string' and kind ~= 'nil' then return field .. ' is not a string' end
    end
    for _, field in ipairs({ 'method', 'host' }) do
        if options[field] ~= nil and not is_text(options[field]) then
            return field .. ' is not a string or a list of strings'
        end
    end
    return nil
end

local function with_slash(path)
    return path:sub(1, 1) == '/' and path or '/' .. path
end

local function is_callable(value)
    local meta = getmetatable(value)
    return type(value) == 'function'
        or type(value) == 'table' and type(meta) == 'table' and meta.__call ~= nil
end

---Makes a route findable, the last one of all.
local function index(self, route)
    local same = self._patterns
    if #route.names == 0 then
        same = self._literals[route.path] or {}
        self._literals[route.path] = same
    end
    same[#same + 1] = route
    self._streams = self._streams or route.stream
    if route.name then self._names[route.name] = route end
end

---Takes another list of routes.
local function replace(self, routes)
    self._routes, self._literals, self._patterns, self._names = routes, {}, {}, {}
    self._streams = false
    for at, route in ipairs(routes) do
        route.at = at
        index(self, route)
    end
end

---An empty router. Give it as `handler`; routes may be added and deleted while the server runs.
---@return httpng.router
function router.new()
    local self = setmetatable({}, router)
    replace(self, {})
    return self
end

---@return string? # why not
local function add(self, options, handler)
    if type(options) ~= 'table' or type(options.path) ~= 'string' then
        return 'a table with a path is expected'
    end
    local wrong = mistake(options)
    if wrong then return wrong end
    if not is_callable(handler) then return 'the handler is not a function' end
    local name, before = options.name, options.before
    if name and self._names[name] then return ('there is a route named "%s"'):format(name) end
    if before and not self._names[before] then
        return ('there is no route named "%s"'):format(before)
    end
    local path = with_slash(options.path)
    local pattern, names = compile(path)
    if #names > PLACEHOLDERS_MAX_COUNT then return 'the path has too many placeholders' end
    local route = {
        at = #self._routes + 1, path = path, pattern = pattern, names = names, name = name,
        methods = methods_of(options.method), hosts = set_of(options.host, host_of),
        stream = options.stream and true or false, handler = handler,
    }
    if before then
        table.insert(self._routes, self._names[before].at, route)
        replace(self, self._routes)
    else
        self._routes[route.at] = route
        index(self, route)
    end
    return nil
end

---Adds a route, behind all others or `before` one of them. The first one that fits answers.
---@param options httpng.route.options
---@param handler fun(req: httpng.request, io: httpng.io): table?
---@return httpng.router self
function router:route(options, handler)
    local wrong = add(self, options, handler)
    if wrong then error('router:route: ' .. wrong, 2) end
    return self
end

-- Deleting --------------------------------------------------------------------------------------

local function same_set(a, b)
    if not a or not b then return a == b end
    for key in pairs(a) do if not b[key] then return false end end
    for key in pairs(b) do if not a[key] then return false end end
    return true
end

---Whether a route is one of those that these options mean: what is not said does not matter.
local function is_meant(route, options)
    return (options.name == nil or route.name == options.name)
        and (options.path == nil or route.path == with_slash(options.path))
        and (options.method == nil or same_set(route.methods, methods_of(options.method)))
        and (options.host == nil or same_set(route.hosts, set_of(options.host, host_of)))
end

---@return integer? count
---@return string? wrong
local function delete(self, options)
    if type(options) == 'string' then options = { name = options } end
    if type(options) ~= 'table' then return nil, 'a name or a table is expected' end
    local wrong = mistake(options)
    if wrong then return nil, wrong end
    if options.name == nil and options.path == nil and options.method == nil
        and options.host == nil then
        return nil, 'a name, path, method or host is expected'
    end
    local kept = {}
    for _, route in ipairs(self._routes) do
        if not is_meant(route, options) then kept[#kept + 1] = route end
    end
    local count = #self._routes - #kept
    if count > 0 then replace(self, kept) end
    return count
end

---Deletes routes: the one of a name, or all that were added with this `path`, `method` and `host`
---(those that are given).
---@param options string|httpng.route.options
---@return integer count how many there were
function router:delete(options)
    local count, wrong = delete(self, options)
    if wrong then error('router:delete: ' .. wrong, 2) end
    return count
end

-- Serving ---------------------------------------------------------------------------------------

---What the placeholders of a route caught, or nil if it does not fit: takes what `find` gave.
local function stashed(names, from, _, ...)
    if not from then return nil end
    local stash = {}
    for i, name in ipairs(names) do stash[name] = (select(i, ...)) end
    return stash
end

local NONE = {}

---Both lists in one order, each route as far as its path fits, from those places on.
---@return httpng.route?
---@return table? stash
---@return integer i
---@return integer k
local function next_by_path(path, literals, patterns, i, k)
    while true do
        local literal, pattern = literals[i], patterns[k]
        if literal and (not pattern or literal.at < pattern.at) then
            return literal, nil, i + 1, k
        end
        if not pattern then return nil, nil, i, k end
        k = k + 1
        local stash = stashed(pattern.names, path:find(pattern.pattern))
        if stash then return pattern, stash, i, k end
    end
end

---@return httpng.route?
---@return table? stash
---@return httpng.route[]? refused those that fit but for the method
local function find(self, req)
    local path, method = req.path, req.method
    local literals, patterns = self._literals[path] or NONE, self._patterns
    local route, stash, i, k, host, refused = nil, nil, 1, 1, nil, nil
    while true do
        route, stash, i, k = next_by_path(path, literals, patterns, i, k)
        if not route then return nil, nil, refused end
        if route.hosts and not host then host = (req.host or ''):lower() end
        if not route.hosts or route.hosts[host] then
            if not route.methods or route.methods[method] then return route, stash end
            refused = refused or {}
            refused[#refused + 1] = route
        end
    end
end

---@param routes httpng.route[] that do not serve the method of a request
local function allowed(routes)
    local set, list = { OPTIONS = true }, {}
    for _, route in ipairs(routes) do
        for method in pairs(route.methods) do set[method] = true end
    end
    for method in pairs(set) do list[#list + 1] = method end
    table.sort(list)
    return table.concat(list, ', ')
end

---An error of ours, in the form that the client asks for.
local function refusal(req, status, text, allow)
    local accept = req.headers and req.headers.accept
    local body, kind, vary = core.error_page(accept, status, text, req.id)
    return {
        status = status, body = body,
        headers = { ['content-type'] = kind, vary = vary, allow = allow },
    }
end

local TYPES = {
    css = 'text/css; charset=utf-8', csv = 'text/csv; charset=utf-8',
    html = 'text/html; charset=utf-8', js = 'text/javascript; charset=utf-8',
    json = 'application/json', svg = 'image/svg+xml', txt = 'text/plain; charset=utf-8',
    xml = 'application/xml',
}

---An answer with the content type of what `:format` caught, unless it has one.
local function with_type(stash, answer)
    local content_type = TYPES[stash.format]
    if type(answer) ~= 'table' or not content_type then return answer end
    local headers = {}
    if type(answer.headers) == 'table' then
        for name, value in pairs(answer.headers) do
            if type(name) == 'string' and name:lower() == 'content-type' then return answer end
            headers[name] = value
        end
    elseif answer.headers ~= nil then
        return answer
    end
    headers['content-type'] = content_type
    return { status = answer.status, headers = headers, body = answer.body }
end

---Answers a request by the first route that fits. Without one: 404; if only the method does not
---fit, 405 with the methods that would, and OPTIONS is answered with them.
---@param req httpng.request
---@param io httpng.io
function router:__call(req, io)
    local route, stash, refused = find(self, req)
    if route then
        if stash then
            rawset(req, '_stash', stash)
            if stash.format then return with_type(stash, route.handler(req, io)) end
        end
        return route.handler(req, io)
    end
    if not refused then return refusal(req, 404, 'not found') end
    local allow = allowed(refused)
    if req.method == 'OPTIONS' then return { status = 204, headers = { allow = allow } } end
    return refusal(req, 405, 'method not allowed', allow)
end

-- The functions of the module `httpng` are those of one router; their errors are the caller's.
router._add, router._delete = add, delete

return router

-- `httpng.router`: handlers by pattern of the path.

---@class httpng.router
local router = {}
router.__index = router

---Splits a pattern into literal pieces and placeholders.
---@return string lua_pattern
---@return string[] names
local function compile(path)
    local names, pattern, at = {}, { '^' }, 1
    local function literal(text)
        pattern[#pattern + 1] = (text:gsub('[%^%$%(%)%%%.%[%]%*%+%-%?]', '%%%0'))
    end
    while at <= #path do
        -- `<:name>`, `<*name>`, `<name>`, `:name`, `*name`.
        local from, to, kind, name = path:find('^<([:*]?)([%w_]+)>', at)
        if not from then from, to, kind, name = path:find('^([:*])([%w_]+)', at) end
        if from then
            names[#names + 1] = name
            pattern[#pattern + 1] = kind == '*' and '(.*)' or '([^/]+)'
            at = to + 1
        else
            local stop = path:find('[<:*]', at + 1) or #path + 1
            literal(path:sub(at, stop - 1))
            at = stop
        end
    end
    pattern[#pattern + 1] = '$'
    return table.concat(pattern), names
end

---An empty router. Give it as `handler`; routes may be added while the server runs.
---@return httpng.router
function router.new()
    return setmetatable({ _routes = {} }, router)
end

---Adds a route. Routes are tried in the order in which they were added. A pattern is literal, but
---for `:name` or `<name>` (one segment) and `*name` (the rest of the path).
---@param options {path: string}
---@param handler fun(req: httpng.request, io: httpng.io): table?
---@return httpng.router self
function router:route(options, handler)
    if type(options) ~= 'table' or type(options.path) ~= 'string' then
        error('router:route: a table with a path is expected', 2)
    end
    if type(handler) ~= 'function' then
        error('router:route: the handler is not a function', 2)
    end
    local path = options.path:sub(1, 1) == '/' and options.path or '/' .. options.path
    local pattern, names = compile(path)
    self._routes[#self._routes + 1] =
        { path = path, pattern = pattern, names = names, handler = handler }
    return self
end

local function stashed(names, ...)
    local stash = {}
    for i, name in ipairs(names) do stash[name] = (select(i, ...)) end
    return stash
end

---@param req httpng.request
---@param io httpng.io
function router:__call(req, io)
    local path = req.path
    for _, route in ipairs(self._routes) do
        if #route.names == 0 then
            if route.path == path then return route.handler(req, io) end
        elseif path:find(route.pattern) then
            rawset(req, '_stash', stashed(route.names, path:match(route.pattern)))
            return route.handler(req, io)
        end
    end
    return {
        status = 404, body = 'not found',
        headers = { ['content-type'] = 'text/plain; charset=utf-8' },
    }
end

return router

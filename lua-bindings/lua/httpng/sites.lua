-- `httpng.sites`: what may stand for `sites` and `handler`, made one list.
local files = require('httpng.files')
local log = require('log')

local getinfo = debug.getinfo

local sites = {}

local function is_callable(value)
    if type(value) == 'function' then return true end
    local meta = getmetatable(value)
    return type(value) == 'table' and type(meta) == 'table' and meta.__call ~= nil
end

---How many of `req` and `io` a handler can see: what it cannot see is not made for it.
local function takes_of(handler)
    if type(handler) ~= 'function' then return 2 end
    local info = getinfo(handler, 'u')
    return info.isvararg and 2 or math.min(info.nparams, 2)
end

---How long bodies of this site may be, if it says so itself.
local function body_len(site)
    local value = site.max_body_len
    if value == nil then return nil end
    local number = tonumber(value)
    if type(number) ~= 'number' or number ~= number then
        error('sites[].max_body_len is not a number', 0)
    end
    return math.floor(math.min(math.max(number, 0), 2 ^ 53))
end

---What the site says itself of `cancel_on_disconnect`, or all do; NULL of any kind is nil.
local function flag_of(site, all)
    local own = site.cancel_on_disconnect
    if own == nil then return all end
    return own and true or false
end

---@param given? {path: string, handler: function|string|httpng.folder}[] `cfg.sites`
---@param handler? function|string|httpng.folder `cfg.handler`: a site for everything
---@param streams? boolean `cfg.stream`: `handler` reads bodies itself
---@param cancels boolean `cfg.cancel_on_disconnect`, for sites that say nothing else
---@param is_reload boolean
---@return {path: string, handler: any, files: httpng.folder?, stream: boolean, max_body_len: integer?, cancel_on_disconnect: boolean, compress: any, takes: integer}[]
function sites.read(given, handler, streams, cancels, is_reload)
    local list = {}
    local seen = {}
    local function add(path, its_handler, its_files, stream, max_body_len, own_cancels, own_compress)
        if seen[path] then
            if is_reload then
                error(path == '/' and 'duplicated site description for /'
                    or 'duplicated site description', 0)
            end
            error(path == '/' and 'There can be only one "/"' or "Can't add duplicate paths", 0)
        end
        if seen['/'] and not is_reload then
            error('Can\'t add other paths after adding "/"', 0)
        end
        seen[path] = true
        -- Which of a router's routes is meant is not known before the body comes.
        stream = stream or not its_files and type(its_handler) == 'table'
            and rawget(its_handler, '_streams')
        list[#list + 1] = {
            path = path, handler = its_handler, files = its_files, stream = stream and true or false,
            max_body_len = max_body_len, cancel_on_disconnect = own_cancels,
            takes = takes_of(its_handler),
            compress = own_compress,
        }
    end
    if given ~= nil then
        if type(given) ~= 'table' then error('sites is not a table', 0) end
        for place in pairs(given) do
            if type(place) ~= 'number' or place > #given then
                log.warn('sites has an entry "%s" that is not in its list: it has no effect',
                    tostring(place))
            end
        end
        for _, site in ipairs(given) do
            if type(site) ~= 'table' then error('sites is not a table of tables', 0) end
            if site.path == nil then error('sites[].path is nil', 0) end
            if type(site.path) ~= 'string' then error('sites[].path is not a string', 0) end
            local its_files = files.read(site.handler, 'sites[].handler')
            if not its_files and not is_callable(site.handler) then
                error('sites[].handler is not a function or string', 0)
            end
            if site.path:sub(1, 1) ~= '/' then
                log.warn('sites[].path "%s" does not begin with "/": no request matches it',
                    site.path)
            end
            add(site.path, site.handler, its_files, site.stream, body_len(site),
                flag_of(site, cancels), site.compress)
        end
    end
    if handler ~= nil then
        local its_files = files.read(handler, 'handler')
        if not its_files and not is_callable(handler) then
            error('handler is not a function or table (router object)', 0)
        end
        add('/', handler, its_files, streams, nil, cancels)
    end
    return list
end

---Those that stay keep their order, new ones follow, and `/` is last.
---@param list {path: string, handler: function}[]
---@param before {path: string, handler: function}[]
---@return {path: string, handler: function}[]
function sites.in_reload_order(list, before)
    local by_path, ordered, root = {}, {}, nil
    for _, site in ipairs(list) do by_path[site.path] = site end
    local function take(path)
        local site = by_path[path]
        by_path[path] = nil
        if site and path == '/' then root = site elseif site then ordered[#ordered + 1] = site end
    end
    for _, site in ipairs(before) do
        if by_path[site.path] then files.check_replaced(site, by_path[site.path]) end
    end
    for _, site in ipairs(before) do take(site.path) end
    for _, site in ipairs(list) do take(site.path) end
    ordered[#ordered + 1] = root
    return ordered
end

return sites

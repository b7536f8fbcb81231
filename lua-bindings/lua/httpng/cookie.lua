-- `httpng.cookie`: values of `Set-Cookie` (RFC 6265 section 4.1), checked.

local DAYS = { 'Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat' }
local MONTHS = {
    'Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec',
}
local SAME_SITE = { strict = 'Strict', lax = 'Lax', none = 'None' }

-- What each option has to be.
local TYPES = {
    name = 'string', value = 'string', path = 'string', domain = 'string', max_age = 'number',
    expires = 'number', secure = 'boolean', http_only = 'boolean', same_site = 'string',
    partitioned = 'boolean',
}

---In English, whatever the locale.
local function date(seconds)
    local t = os.date('!*t', seconds)
    return ('%s, %02d %s %04d %02d:%02d:%02d GMT'):format(
        DAYS[t.wday], t.day, MONTHS[t.month], t.year, t.hour, t.min, t.sec)
end

local function refuse(text, ...) error('httpng.cookie: ' .. text:format(...), 3) end

local function check(options)
    if type(options) ~= 'table' then refuse('a table is expected') end
    for key, value in pairs(options) do
        if not TYPES[key] then refuse('there is no "%s"', tostring(key)) end
        if type(value) ~= TYPES[key] then refuse('%s is not a %s', key, TYPES[key]) end
    end
    local name, value = options.name, options.value
    if not name or not name:find("^[%w!#$%%&'*+%-.^_`|~]+$") then refuse('name is no token') end
    -- No control, space, quote, comma, semicolon, backslash; nothing beyond ASCII.
    if not value or value:find('[^!#-+--:<-[%]^-~]') then
        refuse('value has a byte that no cookie may have: encode it')
    end
    for _, key in ipairs { 'path', 'domain' } do
        if options[key] and options[key]:find('[%c;]') then
            refuse('%s has a byte that it may not have', key)
        end
    end
    for _, key in ipairs { 'max_age', 'expires' } do
        local number = options[key]
        if number and (number ~= math.floor(number) or math.abs(number) > 2 ^ 37) then
            refuse('%s is no whole number of seconds', key)
        end
    end
end

---What browsers refuse without a word.
local function check_rules(options, same_site)
    local name = options.name
    if options.same_site and not same_site then
        refuse('same_site is not "strict", "lax" or "none"')
    end
    if (same_site == 'None' or options.partitioned or name:find('^__Secure%-')
        or name:find('^__Host%-')) and not options.secure then
        refuse('it has to be secure')
    end
    if name:find('^__Host%-') and (options.domain or options.path ~= '/') then
        refuse('a name with "__Host-" has the path "/" and no domain')
    end
end

---@class httpng.cookie_options
---@field name string a token
---@field value string without spaces, quotes, commas, semicolons, backslashes
---@field path? string
---@field domain? string
---@field max_age? integer seconds; 0 or less removes it
---@field expires? integer seconds since 1970
---@field secure? boolean
---@field http_only? boolean
---@field same_site? 'strict'|'lax'|'none'
---@field partitioned? boolean

---The value of a `Set-Cookie` header. Raises for what no browser would take.
---@param options httpng.cookie_options
---@return string
return function(options)
    check(options)
    local same_site = options.same_site and SAME_SITE[options.same_site:lower()]
    check_rules(options, same_site)
    local parts = { options.name .. '=' .. options.value }
    local function add(text, value)
        if value then parts[#parts + 1] = text:format(value) end
    end
    add('Path=%s', options.path)
    add('Domain=%s', options.domain)
    add('Max-Age=%d', options.max_age)
    add('Expires=%s', options.expires and date(options.expires))
    add('Secure', options.secure)
    add('HttpOnly', options.http_only)
    add('SameSite=%s', same_site)
    add('Partitioned', options.partitioned)
    return table.concat(parts, '; ')
end

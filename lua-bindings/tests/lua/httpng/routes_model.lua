-- Random edits of a router and random requests, against one that tries everything in order.
local router = require('httpng').router

math.randomseed(11)
local function any(list) return list[math.random(#list)] end

local PATHS = { '/', '/a', '/b', '/a/b', '/:x', '/a/:x', '/:x/b', '/*all', '/a/*all', '/a-<x>' }
local METHODS = { false, 'GET', 'POST', { 'GET', 'PUT' }, 'ANY', 'HEAD' }
local HOSTS = { false, false, 'h', { 'h', 'i' } }
local ASKED = { '/', '/a', '/b', '/a/b', '/c', '/a/c', '/a-1', '/a/b/c', '/c/b', '' }

---Whether a path fits, placeholder by placeholder.
local function fits(pattern, path)
    local text = pattern:gsub('[%-]', '%%%0'):gsub('[:<]%w+>?', '[^/]+'):gsub('%*all', '.*')
    return path:find('^' .. text .. '$') ~= nil
end

local function has(set, value)
    if not set or set == 'ANY' then return true end
    for _, one in ipairs(type(set) == 'table' and set or { set }) do
        if one == value or value == 'HEAD' and one == 'GET' then return true end
    end
    return false
end

local function naive(list, req)
    local status = 404
    for _, route in ipairs(list) do
        if fits(route.path, req.path) and has(route.host, req.host) then
            if has(route.method, req.method) then return route.id end
            status = req.method == 'OPTIONS' and 204 or 405
        end
    end
    return status
end

for _ = 1, 300 do
    local r, list, id = router.new(), {}, 0
    for _ = 1, 12 do
        id = id + 1
        if math.random(5) == 1 and #list > 0 then
            same(r:delete(tostring(table.remove(list, math.random(#list)).id)), 1)
        else
            local at = math.random(4) == 1 and #list > 0 and math.random(#list) or nil
            local route = { id = id, path = any(PATHS), method = any(METHODS), host = any(HOSTS) }
            local own = id
            r:route({
                path = route.path, method = route.method or nil, host = route.host or nil,
                name = tostring(id), before = at and tostring(list[at].id),
            }, function() return { status = own } end)
            table.insert(list, at or #list + 1, route)
        end
        for _ = 1, 20 do
            local req = {
                path = any(ASKED), method = any({ 'GET', 'POST', 'PUT', 'HEAD', 'OPTIONS' }),
                host = any({ 'h', 'i', 'j' }),
            }
            same(r(req).status, naive(list, req), req.method .. ' ' .. req.host .. req.path)
        end
    end
end

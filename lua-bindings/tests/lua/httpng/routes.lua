-- Methods, hosts, names, order, deletion; and that the number of literal routes costs nothing.
local httpng = require('httpng')
local router = httpng.router

local function answer(text)
    return function(req) return { body = text, stash = rawget(req, '_stash') } end
end

---Asks `r`: what was answered, in one line.
local function ask(r, method, path, host)
    local a = r({ method = method, path = path, host = host })
    local allow = a.headers and a.headers.allow
    return (a.status and a.status .. ' ' or '') .. (a.body or '') .. (allow and ' ' .. allow or '')
end

-- Methods: 405 says what would do, GET serves HEAD, OPTIONS is answered.
local r = router.new()
same(r:route({ path = '/a', method = 'GET' }, answer('get')), r)
r:route({ path = '/a', method = { 'PUT', 'DELETE' } }, answer('change'))
r:route({ path = '/any' }, answer('any'))
r:route({ path = '/ANY', method = 'ANY' }, answer('any'))
r:route({ path = '/own', method = 'OPTIONS' }, answer('own'))
for _, row in ipairs({
    { 'GET', '/a', 'get' }, { 'HEAD', '/a', 'get' }, { 'PUT', '/a', 'change' },
    { 'POST', '/a', '405 method not allowed DELETE, GET, HEAD, OPTIONS, PUT' },
    { 'OPTIONS', '/a', '204  DELETE, GET, HEAD, OPTIONS, PUT' },
    { 'get', '/a', '405 method not allowed DELETE, GET, HEAD, OPTIONS, PUT' },
    { 'POST', '/any', 'any' }, { 'OPTIONS', '/any', 'any' }, { 'PROPFIND', '/ANY', 'any' },
    { 'OPTIONS', '/own', 'own' }, { 'GET', '/own', '405 method not allowed OPTIONS' },
    { 'GET', '/none', '404 not found' }, { 'OPTIONS', '/none', '404 not found' },
}) do
    same(ask(r, row[1], row[2]), row[3], row[1] .. ' ' .. row[2])
end

-- The first that fits, whether it is literal or not; another method is no reason to stop.
r = router.new()
r:route({ path = '/x/first' }, answer('literal first'))
r:route({ path = '/x/:name', method = 'GET' }, answer('pattern'))
r:route({ path = '/x/late' }, answer('literal late'))
r:route({ path = '/x/late', method = 'POST' }, answer('never'))
for _, row in ipairs({
    { 'GET', '/x/first', 'literal first' }, { 'GET', '/x/late', 'pattern' },
    { 'POST', '/x/late', 'literal late' }, { 'GET', '/x/other', 'pattern' },
    { 'POST', '/x/other', '405 method not allowed GET, HEAD, OPTIONS' },
}) do
    same(ask(r, row[1], row[2]), row[3], row[1] .. ' ' .. row[2])
end

-- `before` a route that has a name.
r = router.new()
r:route({ path = '/*all', name = 'all' }, answer('all'))
r:route({ path = '/late' }, answer('late'))
r:route({ path = '/early', before = 'all' }, answer('early'))
r:route({ path = '/e*rest', before = 'all', name = 'e' }, answer('e'))
same(ask(r, 'GET', '/late'), 'all')
same(ask(r, 'GET', '/early'), 'early')
same(ask(r, 'GET', '/else'), 'e')

-- Hosts, in any case and without a port.
r = router.new()
r:route({ path = '/', host = 'A.example:8080' }, answer('a'))
r:route({ path = '/', host = { 'b.example', 'c.example' }, method = 'GET' }, answer('b or c'))
r:route({ path = '/d/:id', host = '[::1]' }, answer('d'))
for _, row in ipairs({
    { 'GET', '/', 'a.example', 'a' }, { 'GET', '/', 'A.EXAMPLE', 'a' },
    { 'GET', '/', 'c.example', 'b or c' }, { 'GET', '/', 'd.example', '404 not found' },
    { 'POST', '/', 'b.example', '405 method not allowed GET, HEAD, OPTIONS' },
    { 'POST', '/', 'd.example', '404 not found' }, { 'GET', '/', nil, '404 not found' },
    { 'GET', '/d/1', '[::1]', 'd' },
}) do
    same(ask(r, row[1], row[2], row[3]), row[4], row[1] .. ' ' .. tostring(row[3]))
end

-- Placeholders in all their spellings.
r = router.new()
for i, path in ipairs({ '/1/:n', '/2/<n>', '/3/<:n>', '/4/#n', '/5/<#n>' }) do
    r:route({ path = path }, answer(path))
    same(r({ path = '/' .. i .. '/a.b' }).stash, { n = 'a.b' }, path)
    same(ask(r, 'GET', '/' .. i .. '/a/b'), '404 not found', path)
    same(ask(r, 'GET', '/' .. i .. '/'), '404 not found', path)
end
for i, path in ipairs({ '/6/*n', '/7/<*n>' }) do
    r:route({ path = path }, answer(path))
    same(r({ path = '/' .. i + 5 .. '/a/b' }).stash, { n = 'a/b' }, path)
    same(r({ path = '/' .. i + 5 .. '/' }).stash, { n = '' }, path)
end
r:route({ path = '/%d+[a]^$(x)-:n?.html' }, answer('literal'))
same(r({ path = '/%d+[a]^$(x)-1?.html' }).stash, { n = '1' })
same(ask(r, 'GET', '/7+a-1.html'), '404 not found')

-- `:format` gives the answer its type.
r:route({ path = '/data.:format' }, function(req)
    if req.stash then return { body = 'own', headers = { ['Content-Type'] = 'own' } } end
    return { status = 201, body = 'x', headers = { etag = 'e' } }
end)
same(r({ path = '/data.json' }).headers['content-type'], 'application/json')
same(r({ path = '/data.json' }).headers.etag, 'e')
same(r({ path = '/data.json' }).status, 201)
same(r({ path = '/data.none' }).headers['content-type'], nil)
same(r({ path = '/data.json', stash = true }).headers, { ['Content-Type'] = 'own' })

-- Deleting: by name, or by what is said.
r = router.new()
local function fill()
    r:route({ path = '/a', method = 'GET', name = 'one' }, answer('one'))
    r:route({ path = 'a', method = 'POST' }, answer('two'))
    r:route({ path = '/a' }, answer('three'))
    r:route({ path = '/b/:id', host = 'B', name = 'four' }, answer('four'))
end
for _, row in ipairs({
    { 'one', 1, 'three' }, { 'four', 1, 'one' }, { 'none', 0, 'one' },
    { { path = '/a' }, 3, '404 not found' }, { { path = 'a', method = 'GET' }, 1, 'three' },
    { { path = '/a', method = { 'POST' } }, 1, 'one' }, { { path = '/b' }, 0, 'one' },
    { { host = 'b' }, 1, 'one' }, { { path = '/a', name = 'four' }, 0, 'one' },
}) do
    r:delete({ path = '/a' })
    r:delete('four')
    fill()
    same(r:delete(row[1]), row[2])
    same(ask(r, 'GET', '/a'), row[3])
end
same(r:delete('one'), 1)
r:route({ path = '/a', name = 'one' }, answer('again'))

-- What streams is known.
r = router.new()
same(r._streams, false)
r:route({ path = '/up', name = 'up', stream = true }, answer('up'))
r:route({ path = '/other' }, answer('other'))
same(r._streams, true)
r:delete('up')
same(r._streams, false)

-- Mistakes name the argument, and the place.
local function place_of(f, ...)
    local ok, why = pcall(f, ...)
    assert(not ok)
    return why
end
for _, row in ipairs({
    { 'route', { 'x', print }, 'a table with a path is expected' },
    { 'route', { {}, print }, 'a table with a path is expected' },
    { 'route', { { path = 1 }, print }, 'a table with a path is expected' },
    { 'route', { { path = '/' } }, 'the handler is not a function' },
    { 'route', { { path = '/' }, {} }, 'the handler is not a function' },
    { 'route', { { path = '/', method = 1 }, print }, 'method is not a string or a list of strings' },
    { 'route', { { path = '/', method = {} }, print }, 'method is not a string or a list of strings' },
    { 'route', { { path = '/', host = { 1 } }, print }, 'host is not a string or a list of strings' },
    { 'route', { { path = '/', name = 1 }, print }, 'name is not a string' },
    { 'route', { { path = '/', before = 1 }, print }, 'before is not a string' },
    { 'route', { { path = '/', before = 'b' }, print }, 'there is no route named "b"' },
    { 'route', { { path = '/', name = 'a' }, print }, 'there is a route named "a"' },
    { 'route', { { path = ('/:a'):rep(33) }, print }, 'the path has too many placeholders' },
    { 'delete', {}, 'a name or a table is expected' },
    { 'delete', { {} }, 'a name, path, method or host is expected' },
    { 'delete', { { path = 1 } }, 'path is not a string' },
}) do
    local name, arguments, message = unpack(row)
    local own = router.new()
    own:route({ path = '/', name = 'a' }, print)
    httpng.delete('a')
    httpng.route({ path = '/', name = 'a' }, print)
    -- Called from Lua code, not by pcall: then the place is that of the caller.
    same(place_of(function() own[name](own, unpack(arguments)) return end):match(' (.*)'),
        'router:' .. name .. ': ' .. message)
    local why = place_of(function() httpng[name](unpack(arguments)) return end)
    same(why:match(' (.*)'), 'httpng.' .. name .. ': ' .. message)
    assert(why:find('^[^:]*routes.lua:%d+: '), why)
    same(#own._routes, 1)
end
httpng.delete('a')

-- The router of the module.
httpng.route({ path = '/m' }, answer('m'))
same(ask(httpng.handler, 'GET', '/m'), 'm')
same(httpng.delete({ path = '/m' }), 1)
same(ask(httpng.handler, 'GET', '/m'), '404 not found')

-- The number of literal routes costs nothing: instructions of the machine are counted.
local function cost(count)
    local big = router.new()
    for i = 1, count do big:route({ path = '/page/' .. i }, answer('page')) end
    big:route({ path = '/user/:id' }, answer('user'))
    local steps = 0
    local requests = { { path = '/page/1' }, { path = '/page/' .. count }, { path = '/user/1' },
        { path = '/none' } }
    debug.sethook(function() steps = steps + 1 end, '', 1)
    for _, req in ipairs(requests) do big(req) end
    debug.sethook()
    return steps
end
jit.off()
local few, many = cost(10), cost(5000)
jit.on()
assert(few > 50, few)
same(many, few)

-- Errors are told in the form that is asked for.
for _, row in ipairs({
    { nil, 'text/plain; charset=utf-8', '^not found$' },
    { '*/*', 'text/plain; charset=utf-8', '^not found$' },
    { 'application/json', 'application/json', '^{"status":404,"error":"not found","request_id":"a7"}$' },
    { 'text/html,*/*;q=0.8', 'text/html; charset=utf-8', '<h1>404 Not Found</h1>.*<code>a7</code>' },
}) do
    local req = { method = 'GET', path = '/none', id = 'a7', headers = { accept = row[1] } }
    local a = r(req)
    same({ a.status, a.headers['content-type'], a.headers.vary }, { 404, row[2], 'Accept' })
    assert(a.body:find(row[3]), a.body)
end

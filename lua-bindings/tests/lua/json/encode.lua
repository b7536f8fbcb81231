local json = require('json')
same(json.encode({}), '[]')
same(json.encode({ 1, 2, 3 }), '[1,2,3]')
same(json.encode({ a = 1 }), '{"a":1}')
same(json.encode({ 1, nil, 3 }), '[1,null,3]')
same(json.encode({ [10] = 1 }), '[null,null,null,null,null,null,null,null,null,1]')
raises('excessively sparse', json.encode, { [100] = 1 })
same(json.encode({ 1, a = 2 }):len(), #'{"1":1,"a":2}')
same(json.encode('quote " slash \\ line \n tab \t \1 é'),
    '"quote \\" slash \\\\ line \\n tab \\t \\u0001 é"')
same({ json.encode(1), json.encode(1.5), json.encode(-0.25), json.encode(1e20) },
    { '1', '1.5', '-0.25', '1e+20' })
same({ json.encode(true), json.encode(nil), json.encode(json.NULL), json.encode(box.NULL) },
    { 'true', 'null', 'null', 'null' })
same(json.encode({ a = json.NULL, b = { json.NULL } }):len(), #'{"a":null,"b":[null]}')
same(json.encode({ big = 18446744073709551615ULL }), '{"big":18446744073709551615}')
same(json.encode({ -9007199254740993LL }), '[-9007199254740993]')
same(json.encode(setmetatable({}, { __serialize = 'map' })), '{}')
same(json.encode(setmetatable({}, json.map_mt)), '{}')
same(json.encode({ setmetatable({ secret = 1 }, { __serialize = function() return 'shown' end }) }),
    '["shown"]')
same(json.encode({ [1.5] = 'a' }), '{"1.5":"a"}')
raises('the number NaN has no JSON (at a.b[2])', json.encode, { a = { b = { 1, 0 / 0 } } })
raises('the number inf has no JSON', json.encode, math.huge)
raises('a function has no JSON (at f)', json.encode, { f = print })
raises('a table key is a boolean', json.encode, { [true] = 1 })
raises('a string is not UTF-8', json.encode, '\255')
same(json.encode(), 'null')
local loop = {}
loop.loop = loop
raises('more than 128 levels', json.encode, loop)
local deep = {}
for _ = 1, 127 do deep = { deep } end
assert(json.encode(deep))
raises('more than 128 levels', json.encode, { deep })
-- Whole numbers as long as every one of them is exact.
same({ json.encode(2 ^ 53), json.encode(-1795350960570100), json.encode(2 ^ 60) },
    { '9007199254740992', '-1795350960570100', '1.152921504606847e+18' })

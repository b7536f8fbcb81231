local fiber = require('fiber')
local me = fiber.self()
same(me, fiber.self())
same(me:status(), 'running')
same(me:id(), fiber.id())
same(fiber.find(me:id()), me)
same(fiber.find(123456789), nil)
raises('a fiber is expected', fiber.find, 'x')
me.storage.key = 1
same(fiber.self().storage.key, 1)
same(tostring(me), 'fiber: ' .. me:id())
local other
fiber.create(function() other = fiber.self() end)
assert(other ~= me)

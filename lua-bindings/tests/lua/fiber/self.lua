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
-- What is stored stays while the fiber lives, though nobody holds its object.
collectgarbage()
same(fiber.self().storage.key, 1)
fiber.create(function()
    fiber.self().storage.key = 2
    fiber.sleep(1)
    collectgarbage()
    same(fiber.self().storage.key, 2)
end)
-- And no longer.
local objects = setmetatable({}, { __mode = 'k' })
for _ = 1, 1000 do
    fiber.create(function() objects[fiber.self()] = fiber.self().storage end)
end
fiber.sleep(2)
collectgarbage()
collectgarbage()
local count = 0
for _ in pairs(objects) do count = count + 1 end
assert(count < 200, count)

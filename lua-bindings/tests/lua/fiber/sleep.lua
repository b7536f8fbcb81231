local fiber = require('fiber')
local before = fiber.clock()
fiber.sleep(1.5)
local slept = fiber.clock() - before
assert(slept >= 1.4999 and slept < 1.6, slept)
local order = {}
for _, t in ipairs({ 0.3, 0.1, 0.2 }) do
    fiber.create(function() fiber.sleep(t) order[#order + 1] = t end)
end
fiber.sleep(1)
same(order, { 0.1, 0.2, 0.3 })
fiber.sleep(0)
fiber.sleep(-1)
raises('seconds are expected', fiber.sleep, 'x')
raises('seconds are expected', fiber.sleep)
-- Somebody may end it early.
local me = fiber.self()
fiber.create(function() fiber.sleep(1) me:wakeup() end)
before = fiber.clock()
fiber.sleep(100)
assert(fiber.clock() - before < 2)

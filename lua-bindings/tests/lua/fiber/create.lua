-- `create` runs the function at once, until it first gives way.
local fiber = require('fiber')
local seen = {}
local f = fiber.create(function(a, b)
    seen[#seen + 1] = a
    fiber.yield()
    seen[#seen + 1] = b
end, 'first', 'second')
same(seen, { 'first' })
same(f:status(), 'suspended')
fiber.yield()
same(seen, { 'first', 'second' })
same(f:status(), 'dead')
-- Inside each other.
local order = {}
fiber.create(function()
    order[#order + 1] = 1
    fiber.create(function()
        order[#order + 1] = 2
        fiber.yield()
        order[#order + 1] = 4
    end)
    order[#order + 1] = 3
end)
same(order, { 1, 2, 3 })
fiber.yield()
same(order, { 1, 2, 3, 4 })
raises('fiber.create: the argument is not a function', fiber.create, 42)
raises('fiber.create: the argument is not a function', fiber.create)
local called
fiber(function() called = true end)
same(called, true)

local fiber = require('fiber')
local order = {}
for i = 1, 3 do
    fiber.new(function()
        order[#order + 1] = i
        fiber.yield()
        order[#order + 1] = i + 10
    end)
end
fiber.yield()
same(order, { 1, 2, 3 })
fiber.yield()
same(order, { 1, 2, 3, 11, 12, 13 })

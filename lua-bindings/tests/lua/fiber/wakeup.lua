local fiber = require('fiber')
local n = 0
local f = fiber.create(function()
    while n < 3 do fiber.sleep(1000) n = n + 1 end
end)
for i = 1, 3 do
    fiber.wakeup(f)
    fiber.yield()
    same(n, i)
end
same(f:status(), 'dead')
f:wakeup()
raises('the argument is not a fiber', fiber.wakeup, 'x')

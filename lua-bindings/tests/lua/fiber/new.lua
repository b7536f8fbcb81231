-- `new` leaves the start to the scheduler.
local fiber = require('fiber')
local seen
local f = fiber.new(function(x) seen = x end, 7)
same(seen, nil)
same(f:status(), 'suspended')
fiber.yield()
same(seen, 7)
raises('fiber.new: the argument is not a function', fiber.new, {})

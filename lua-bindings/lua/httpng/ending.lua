-- `httpng.ending`: waiting for the end of threads and handlers, up to the moment at which those that
-- do not end are given up.
local fiber = require('fiber')

---@class httpng.ending
local ending = {}

---How often one looks whether it is over, in seconds.
local PAUSE, LONG_PAUSE = 0.002, 0.05

---What a caller gave, or the configured time.
---@param timeout any
---@param default number
---@return number # seconds
function ending.seconds(timeout, default)
    if timeout == nil then return default end
    if type(timeout) ~= 'number' or timeout ~= timeout then
        error('the timeout is not a number', 3)
    end
    return timeout
end

---A function that waits until `is_over`. After `timeout` seconds, counted from now, it calls
---`give_up` as often as it looks: who begins late is given up as well. 0 or less: never.
---@param is_over fun(): boolean
---@param give_up fun()
---@param timeout number seconds
---@return fun()
function ending.waiter(is_over, give_up, timeout)
    local deadline = timeout > 0 and fiber.clock() + timeout or math.huge
    return function()
        while not is_over() do
            if fiber.clock() >= deadline then give_up() end
            fiber.sleep(PAUSE)
        end
    end
end

-- Which decrease of the number of threads is the last one.
local decrease = 0

---A function that tells whether the threads of the present decrease are gone; also when there has
---been another one since.
---@param is_shrinking fun(): boolean
---@return fun(): boolean
function ending.have_gone(is_shrinking)
    local present = decrease
    return function() return decrease ~= present or not is_shrinking() end
end

---To be called at each decrease. Threads that became too many have `timeout` seconds, then their
---connections are reset. Their handlers have as long again. 0 or less: for ever.
---@param is_shrinking fun(): boolean
---@param give_up fun()
---@param timeout number seconds
function ending.reap(is_shrinking, give_up, timeout)
    decrease = decrease + 1
    if timeout <= 0 then return end
    local have_gone = ending.have_gone(is_shrinking)
    local deadline = fiber.clock() + 2 * timeout
    local reaper = fiber.new(function()
        while not have_gone() do
            if fiber.clock() >= deadline then give_up() end
            fiber.sleep(math.min(LONG_PAUSE, timeout))
        end
    end)
    reaper:name('httpng reaper')
end

return ending

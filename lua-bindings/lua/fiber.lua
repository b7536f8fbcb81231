-- `fiber`: cooperative threads, by Tarantool's names and ways.
local core = ...

---@class fiber
local fiber = {}

---@class fiber_object
---@field storage table whatever the program wants to keep with the fiber
local methods = {}
local object_meta = {}

-- One object per number while somebody holds it, so that objects compare.
local objects = setmetatable({}, { __mode = 'v' })
-- Those with a storage stay as long as their fiber, whoever else holds them.
local kept, kept_count, sweep_at = {}, 0, 64

local function keep(object)
    if kept_count >= sweep_at then
        for id in pairs(kept) do
            if not core.exists(id) then
                kept[id] = nil
                kept_count = kept_count - 1
            end
        end
        sweep_at = 2 * kept_count + 64
    end
    kept[object._id] = object
    kept_count = kept_count + 1
end

function object_meta.__index(self, key)
    if key ~= 'storage' then return methods[key] end
    local storage = {}
    rawset(self, 'storage', storage)
    keep(self)
    return storage
end

---@return fiber_object
local function object_of(id)
    local object = objects[id]
    if not object then
        object = setmetatable({ _id = id }, object_meta)
        objects[id] = object
    end
    return object
end

---@return number
local function id_of(object, what)
    if type(object) == 'table' and getmetatable(object) == object_meta then return object._id end
    if type(object) == 'number' then return object end
    error(what .. ': the argument is not a fiber', 3)
end

local function check_function(f, what)
    if type(f) == 'function' then return end
    local meta = getmetatable(f)
    if type(meta) == 'table' and meta.__call then return end
    error(what .. ': the argument is not a function', 3)
end

---Makes a fiber and runs it at once, until it first gives way.
---@param f function
---@return fiber_object
function fiber.create(f, ...)
    check_function(f, 'fiber.create')
    local id = core.create(f, ...)
    return object_of(id)
end

---Makes a fiber that runs when the running one gives way.
---@param f function
---@return fiber_object
function fiber.new(f, ...)
    check_function(f, 'fiber.new')
    return object_of(core.new(f, ...))
end

---@return fiber_object
function fiber.self()
    return object_of(core.id())
end

---The fiber of this number, or nil.
---@param id integer
---@return fiber_object?
function fiber.find(id)
    if type(id) ~= 'number' then error('fiber.find: the number of a fiber is expected', 2) end
    if core.exists(id) then return object_of(id) end
    return nil
end

---Gives way for so many seconds. Zero: until every other fiber that can run had its turn.
---@param seconds number
function fiber.sleep(seconds)
    if type(seconds) ~= 'number' then error('fiber.sleep: seconds are expected', 2) end
    core.sleep(seconds)
end

---Gives way to the other fibers that can run.
fiber.yield = core.yield
---Raises `fiber is cancelled` if the running fiber is.
fiber.testcancel = core.testcancel
---Seconds since the start of the program, as of this turn of the loop; never goes back.
fiber.clock = core.clock

local clock = require('clock')
---Seconds since 1970.
fiber.time = clock.time
---Microseconds since 1970, as a 64-bit integer.
function fiber.time64() return clock.time64() / 1000ULL end
---Microseconds of `fiber.clock`, as a 64-bit integer.
function fiber.clock64() return core.clock() * 1000000 + 0ULL end

---@return integer
function methods:id() return self._id end

---Reads the name, or gives another.
---@param name? string
---@return string?
function methods:name(name)
    if name == nil then
        local known = core.name(self._id)
        if not known then error('the fiber is dead', 2) end
        return known
    end
    if type(name) ~= 'string' then error('fiber:name: the name is not a string', 2) end
    core.set_name(self._id, name)
end

---@return 'running'|'suspended'|'dead'
function methods:status() return core.status(self._id) end

---Asks the fiber to end: `fiber is cancelled` is raised where it waits, now or next.
function methods:cancel()
    core.cancel(self._id)
    if self._id == core.id() then core.testcancel() end
end
methods.kill = methods.cancel

---Ends what the fiber waits in, early.
function methods:wakeup() core.wake(self._id) end

---Whether the end of the fiber is kept for `join`.
---@param joinable boolean
function methods:set_joinable(joinable)
    if type(joinable) ~= 'boolean' then
        error('fiber:set_joinable: true or false is expected', 2)
    end
    if not core.set_joinable(self._id, joinable) then error('the fiber is dead', 2) end
end

local function joined(how, ...)
    if how == 'ok' then return true, ... end
    if how == 'error' then return false, ... end
    return false, 'timed out'
end

---Waits for the end of a joinable fiber.
---@param timeout? number seconds
---@return boolean ok
---@return any ... its results, or the error
function methods:join(timeout)
    return joined(core.join(self._id, timeout))
end

function object_meta.__tostring(self) return ('fiber: %d'):format(self._id) end
object_meta.__serialize = object_meta.__tostring

---@param object? fiber_object
function fiber.id(object)
    if object == nil then return core.id() end
    return id_of(object, 'fiber.id')
end

---@param object? fiber_object|string
---@param name? string
function fiber.name(object, name)
    if object == nil then return core.name(core.id()) end
    if type(object) == 'string' then return core.set_name(core.id(), object) end
    return object_of(id_of(object, 'fiber.name')):name(name)
end

---@param object? fiber_object
function fiber.status(object)
    return core.status(object == nil and core.id() or id_of(object, 'fiber.status'))
end

---@param object? fiber_object
function fiber.cancel(object)
    return object_of(object == nil and core.id() or id_of(object, 'fiber.cancel')):cancel()
end
fiber.kill = fiber.cancel

---@param object fiber_object
function fiber.wakeup(object) core.wake(id_of(object, 'fiber.wakeup')) end

---@param object fiber_object
function fiber.join(object, timeout)
    return joined(core.join(id_of(object, 'fiber.join'), timeout))
end

---@param object fiber_object
function fiber.set_joinable(object, joinable)
    return object_of(id_of(object, 'fiber.set_joinable')):set_joinable(joinable)
end

---What fibers there are.
---@return table<integer, {fid: integer, name: string, status: string}>
function fiber.info()
    local info = {}
    core.id() -- a handler has no number before somebody asks for it
    for _, id in ipairs(core.ids()) do
        info[id] = { fid = id, name = core.name(id), status = core.status(id) }
    end
    return info
end

-- Waiting -------------------------------------------------------------------------------------

---@param timeout number?
local function deadline_of(timeout, what)
    if timeout == nil then return nil end
    if type(timeout) ~= 'number' then error(what .. ': the timeout is not a number', 3) end
    return core.clock() + timeout
end

-- A queue of waiting fibers. Each waiter is a table of its own, so that a fiber can wait in
-- several queues one after another and a late signal finds nobody.
local function queue() return { first = 1, last = 0, count = 0 } end

---Closes the gaps that those left who gave up.
local function compact(waiters)
    local kept, last = {}, 0
    for i = waiters.first, waiters.last do
        local waiter = waiters[i]
        waiters[i] = nil
        if waiter.queued then
            last = last + 1
            kept[last] = waiter
        end
    end
    for i = 1, last do waiters[i] = kept[i] end
    waiters.first, waiters.last = 1, last
end

local function enter(waiters)
    if waiters.last - waiters.first > 2 * waiters.count + 16 then compact(waiters) end
    local waiter = { id = core.id(), queued = true }
    waiters.last = waiters.last + 1
    waiters[waiters.last] = waiter
    waiters.count = waiters.count + 1
    return waiter
end

local function leave(waiters, waiter)
    if waiter.queued then
        waiter.queued = false
        waiters.count = waiters.count - 1
    end
end

---Takes out who waits longest.
local function take_first(waiters)
    while waiters.first <= waiters.last do
        local waiter = waiters[waiters.first]
        waiters[waiters.first] = nil
        waiters.first = waiters.first + 1
        if waiter.queued then
            leave(waiters, waiter)
            waiter.signalled = true
            return waiter
        end
    end
end

---Wakes who waits longest.
local function wake_first(waiters)
    local waiter = take_first(waiters)
    if waiter then core.wake(waiter.id) end
end

local function wake_all(waiters)
    for _ = 1, waiters.count do wake_first(waiters) end
end

---Waits in a queue. False at the deadline, true when woken, by whomever; raises when the fiber is
---cancelled.
local function wait_in(waiters, waiter, deadline)
    local ok, woken = pcall(core.park, deadline)
    leave(waiters, waiter)
    if ok then return woken or waiter.signalled or false end
    -- The signal was for somebody who can use it.
    if waiter.signalled then wake_first(waiters) end
    error(woken, 0)
end

---@class fiber_cond
local cond = {}
cond.__index = cond

---Waits for a signal.
---@param timeout? number seconds
---@return boolean # false after the timeout
function cond:wait(timeout)
    local deadline = deadline_of(timeout, 'cond:wait')
    return wait_in(self._waiters, enter(self._waiters), deadline)
end

---Wakes one of the fibers that wait.
function cond:signal() wake_first(self._waiters) end

---Wakes all fibers that wait.
function cond:broadcast() wake_all(self._waiters) end

---A condition variable.
---@return fiber_cond
function fiber.cond()
    return setmetatable({ _waiters = queue() }, cond)
end

---@class fiber_channel
local channel = {}
channel.__index = channel

-- nil can be sent too.
local NIL = {}

local function append(self, value)
    self._last = self._last + 1
    self._items[self._last] = value
end

---Sends a value; waits while the channel is full (one without capacity: until somebody takes it).
---@param value any
---@param timeout? number seconds
---@return boolean # false if the channel is closed, or after the timeout
function channel:put(value, timeout)
    local deadline = deadline_of(timeout, 'channel:put')
    if type(value) == 'table' then core.leave() end
    if self._closed then return false end
    if value == nil then value = NIL end
    if self:count() < self._size then
        append(self, value)
        wake_first(self._readers)
        return true
    end
    -- The value waits with its writer; a reader takes it from there.
    local writers = self._writers
    local waiter = enter(writers)
    waiter.value = value
    wake_first(self._readers)
    while not waiter.signalled and not self._closed do
        local ok, woken = pcall(core.park, deadline)
        if waiter.signalled then break end
        if not ok or not woken then
            leave(writers, waiter)
            if not ok then error(woken, 0) end
            return false
        end
    end
    leave(writers, waiter)
    return waiter.taken == true
end

---The value of the writer that waits longest, who may go on.
local function take_from_writer(self)
    local waiter = take_first(self._writers)
    if not waiter then return nil end
    waiter.taken = true
    core.wake(waiter.id)
    return waiter.value
end

local function take(self)
    if self._first > self._last then return take_from_writer(self) end
    local value = self._items[self._first]
    self._items[self._first] = nil
    self._first = self._first + 1
    local next_value = take_from_writer(self)
    if next_value ~= nil then append(self, next_value) end
    return value
end

---Takes a value; waits while there is none.
---@param timeout? number seconds
---@return any # nil if the channel is closed, or after the timeout
function channel:get(timeout)
    local deadline = deadline_of(timeout, 'channel:get')
    while not self._closed do
        local value = take(self)
        if value ~= nil then
            if value == NIL then return nil end
            return value
        end
        local readers = self._readers
        if not wait_in(readers, enter(readers), deadline) then return nil end
    end
    return nil
end

---Closes the channel: what is in it is lost, those who wait get `false` or `nil`.
function channel:close()
    if self._closed then return end
    self._closed = true
    self._items, self._first, self._last = {}, 1, 0
    wake_all(self._readers)
    wake_all(self._writers)
end

---@return boolean
function channel:is_closed() return self._closed end
---@return integer # values in the channel, without those of waiting writers
function channel:count() return self._last - self._first + 1 end
---@return integer # the capacity
function channel:size() return self._size end
---@return boolean
function channel:is_full() return self:count() >= self._size end
---@return boolean
function channel:is_empty() return self:count() == 0 end
---@return boolean
function channel:has_readers() return self._readers.count > 0 end
---@return boolean
function channel:has_writers() return self._writers.count > 0 end

function channel:__tostring() return ('channel: %d'):format(self:count()) end

---A channel that holds so many values; none: each `put` waits for its `get`.
---@param size? integer
---@return fiber_channel
function fiber.channel(size)
    size = size or 0
    if type(size) ~= 'number' or size < 0 or size ~= math.floor(size) then
        error('fiber.channel: the size is not a natural number', 2)
    end
    return setmetatable({
        _size = size, _items = {}, _first = 1, _last = 0, _closed = false,
        _readers = queue(), _writers = queue(),
    }, channel)
end

return setmetatable(fiber, {
    __call = function(_, ...) return fiber.create(...) end,
})

-- The machine of `state.py` and `windows.py`, made by the server: one call is one decision.
--
-- The rules and their reasons stand there; here is what they come to, function by function under
-- the same names, and a test compares every step of the two. A change returns the next state, or
-- nil if nothing changes. States are the plain data of `codec.py`.
--
-- KEYS: the circuit, the clock.
-- ARGV: the name of the change, its argument as JSON, seconds to remember an agent that is left
--       alone, and what the caller expects the clock of the store to show, if it can tell.
-- Gives: the state before or false, the time and the fresh generation, numbers as text.
--
-- Filled in before: HARD, REMEMBERED, HELD and SLICES.

local NEVER = -math.huge

-- Plain data, with every bit of a number: cjson writes 14 digits.

local function given(value)
  return value ~= nil and value ~= cjson.null
end

local function moment(value)
  return given(value) and value or NEVER
end

local function number(value)
  return value == NEVER and 'null' or string.format('%.17g', value)
end

local function list(values, write)
  local texts = {}
  for i, value in ipairs(values) do
    texts[i] = write(value)
  end
  return '[' .. table.concat(texts, ',') .. ']'
end

local function numbers(values)
  return list(values, number)
end

local function write(state)
  local tail = ',"generation":' .. number(state.generation) .. '}'
  if state.is == 'forced' then
    return '{"is":"forced","open":' .. tostring(state.open) .. tail
  end
  local head = '{"is":"' .. state.is .. '","times":' .. numbers(state.times)
    .. ',"types":' .. list(state.types, cjson.encode)
  if state.is == 'open' then
    return head .. ',"total":' .. number(state.total) .. ',"retry_at":' .. number(state.retry_at)
      .. ',"length":' .. number(state.length) .. ',"probes":' .. list(state.probes, numbers) .. tail
  end
  return head .. ',"soft_at":' .. number(state.soft_at) .. ',"touched":' .. number(state.touched)
    .. ',"limited_until":' .. number(state.limited_until)
    .. ',"calls":' .. list(state.calls, numbers) .. tail
end

local function read(plain)
  if plain.is == 'closed' then
    plain.soft_at = moment(plain.soft_at)
    plain.touched = moment(plain.touched)
    plain.limited_until = moment(plain.limited_until)
  end
  return plain
end

local function closed(touched, generation)
  return {is = 'closed', times = {}, types = {}, soft_at = NEVER, touched = touched,
          limited_until = NEVER, calls = {}, generation = generation}
end

local HEALTHY = closed(NEVER, 0)

local function copy(state)
  local same = {}
  for name, value in pairs(state) do
    same[name] = value
  end
  return same
end

local function latest(values, count)
  return {unpack(values, math.max(#values - count + 1, 1))}
end

-- windows.py

local function within(times, edge)
  local kept = {}
  for _, time in ipairs(times) do
    if time >= edge then
      kept[#kept + 1] = time
    end
  end
  return kept
end

local function failures_open(times, soft_at, now, rules, fast_fail)
  if #times >= rules.threshold then
    return true
  end
  local close = rules.fast_fail_threshold
  if not fast_fail or #times < close then
    return false
  end
  local edge = now - rules.fast_fail_window
  return times[#times - close + 1] >= edge and not (rules.fast_fail_hard_only and soft_at >= edge)
end

local function counted(calls, now, rules, failed, slow)
  local slice = math.floor(now / (rules.window / SLICES))
  local kept, last = {}, {slice, 0, 0, 0}
  for _, part in ipairs(calls) do
    if part[1] == slice then
      last = {unpack(part)}
    elseif part[1] > slice - SLICES then
      kept[#kept + 1] = part
    end
  end
  last[2] = last[2] + 1
  last[3] = last[3] + (failed and 1 or 0)
  last[4] = last[4] + (slow and 1 or 0)
  kept[#kept + 1] = last
  return kept
end

local function rates_open(calls, rules)
  local told, failed, slow = 0, 0, 0
  for _, part in ipairs(calls) do
    told, failed, slow = told + part[2], failed + part[3], slow + part[4]
  end
  local function reached(rate, count)
    return given(rate) and told >= rate.minimum_calls and count >= rate.share * told
  end
  return reached(rules.failure_rate, failed) or reached(rules.slow_calls, slow)
end

-- state.py

local function blocked(state, now, slots)
  if now < state.retry_at then
    return true
  end
  local too_many = #state.probes - slots
  return too_many >= 0 and state.probes[too_many + 1][1] > now
end

local function idle_since(state)
  if state.is == 'closed' then
    return math.max(state.touched, state.limited_until)
  end
  local last = state.probes[#state.probes]
  return math.max(state.retry_at, last and last[1] or NEVER)
end

local function is_stale(state, permit)
  if state.is ~= 'open' then
    return permit < state.generation
  end
  for _, probe in ipairs(state.probes) do
    if probe[2] == permit then
      return false
    end
  end
  return true
end

local function with(types, latest_type)
  local all = {unpack(types)}
  all[#all + 1] = latest_type
  return #all < HELD and all or latest(all, REMEMBERED)
end

local function recent_types(state, now, rules)
  if state.is == 'closed' and state.touched < now - rules.window then
    return {}
  end
  return latest(state.types, REMEMBERED)
end

local function opened(times, types, total, before, not_before, now, fresh, rules, jitter)
  local backoff, seconds = rules.backoff, rules.reset_timeout
  local length = seconds
  if given(backoff) then
    local grown = before and math.max(before * backoff.factor, length) or length
    length = math.min(grown, backoff.maximum)
    seconds = length * (1 - backoff.jitter * jitter)
  end
  return {is = 'open', times = times, types = types, total = total,
          retry_at = math.max(now + seconds, not_before), length = length, probes = {},
          generation = fresh}
end

local change = {}

function change.admit(state, now, fresh, admission)
  local lease, slots = unpack(admission)
  if state.is ~= 'open' or blocked(state, now, slots) then
    return nil
  end
  local probes = {}
  for i = math.max(#state.probes - slots + 1, 0) + 1, #state.probes do
    probes[#probes + 1] = state.probes[i]
  end
  probes[#probes + 1] = {now + lease, fresh}
  table.sort(probes, function(a, b)
    return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
  end)
  local after = copy(state)
  after.probes, after.generation = probes, fresh
  return after
end

function change.release(state, now, fresh, permit)
  if state.is ~= 'open' or is_stale(state, permit) then
    return nil
  end
  local after = copy(state)
  after.probes = {}
  for _, probe in ipairs(state.probes) do
    if probe[2] ~= permit then
      after.probes[#after.probes + 1] = probe
    end
  end
  return after
end

local function uncounted(state, now, rules, failure_type, permit, retry_after)
  local released = given(permit) and change.release(state, now, 0, permit) or nil
  if state.is == 'forced' or failure_type ~= 'rate_limit' then
    return released
  end
  local after = copy(released or state)
  after.types = with(recent_types(state, now, rules), 'rate_limit')
  local til = given(retry_after) and now + retry_after or NEVER
  if state.is == 'open' then
    after.retry_at = math.max(state.retry_at, til)
  else
    after.touched, after.limited_until = now, math.max(state.limited_until, til)
  end
  return after
end

function change.fail(state, now, fresh, failure)
  local rules, failure_type, fast_fail, permit, slow, retry_after, jitter = unpack(failure)
  if given(permit) and is_stale(state, permit) then
    return nil
  end
  if failure_type == 'rate_limit' or failure_type == 'check_failed' then
    return uncounted(state, now, rules, failure_type, permit, retry_after)
  end
  if state.is == 'closed' then
    local edge = now - rules.window
    local quiet = state.touched < edge
    local times = quiet and {} or within(state.times, edge)
    local types = quiet and {} or state.types
    times[#times + 1] = now
    if given(failure_type) then
      types = with(types, failure_type)
    end
    local soft_at = HARD[failure_type] and state.soft_at or now
    local calls = rules.counts_calls and counted(state.calls, now, rules, true, slow) or state.calls
    if failures_open(times, soft_at, now, rules, fast_fail)
      or (#calls > 0 and rates_open(calls, rules)) then
      return opened(times, types, #times, nil, state.limited_until, now, fresh, rules, jitter)
    end
    local after = copy(state)
    after.times, after.types, after.soft_at, after.calls = times, types, soft_at, calls
    after.touched = now
    return after
  end
  if state.is == 'open' then
    local after = copy(state)
    after.times = within(state.times, NEVER)
    after.times[#after.times + 1] = now
    if #after.times >= HELD then
      after.times = latest(after.times, REMEMBERED)
    end
    if given(failure_type) then
      after.types = with(state.types, failure_type)
    end
    after.total = state.total + 1
    if not given(permit) and now < state.retry_at then
      return after
    end
    return opened(after.times, after.types, after.total, state.length, state.retry_at, now, fresh,
                  rules, jitter)
  end
  return nil
end

function change.succeed(state, now, fresh, success)
  local rules, permit, slow, jitter = unpack(success)
  if given(permit) and is_stale(state, permit) then
    return nil
  end
  if state.is == 'open' then
    if not slow then
      return closed(now, fresh)
    end
    return opened(state.times, state.types, state.total, state.length, state.retry_at, now, fresh,
                  rules, jitter)
  end
  if state.is == 'forced' or not rules.counts_calls then
    return nil
  end
  local calls = counted(state.calls, now, rules, false, slow)
  if not rates_open(calls, rules) then
    local after = copy(state)
    after.calls, after.touched = calls, now
    return after
  end
  local times = within(state.times, now - rules.window)
  return opened(times, recent_types(state, now, rules), #times, nil, state.limited_until, now,
                fresh, rules, jitter)
end

function change.force(state, now, fresh, to_open)
  if state.is == 'forced' and state.open == to_open then
    return nil
  end
  return {is = 'forced', open = to_open, generation = fresh}
end

function change.forget(state, now, fresh)
  if state.is ~= 'closed' then
    return closed(now, fresh)
  end
  return state.generation > 0 and closed(now, state.generation) or HEALTHY
end

function change.restore(state, now, fresh, saved)
  if not given(saved) then
    return HEALTHY
  end
  local after = read(saved)
  after.generation = fresh
  if after.is ~= 'forced' then
    for i, time in ipairs(after.times) do
      after.times[i] = time + now
    end
  end
  if after.is == 'open' then
    after.retry_at, after.probes = after.retry_at + now, {}
  elseif after.is == 'closed' then
    after.soft_at, after.touched = after.soft_at + now, after.touched + now
    after.limited_until, after.calls = after.limited_until + now, {}
  end
  return after
end

function change.look()
  return nil
end

-- The clock: that of the server, without its jumps. It never goes back behind what was told last;
-- and a caller whose own monotonic clock says that less or more time has passed is believed, if
-- the two differ by more than a message can take.

local JUMP = 5

local time = redis.call('TIME')
local server = time[1] + time[2] / 1e6
local known = redis.call('HMGET', KEYS[2], 'latest', 'ahead')
local told_last, ahead = tonumber(known[1] or NEVER), tonumber(known[2] or 0)
local now, expected = server + ahead, tonumber(ARGV[4])
if expected and math.abs(now - expected) > JUMP then
  now = expected
end
now = math.max(now, told_last)
local jumped = now ~= server + ahead

-- The decision.

local text = redis.call('GET', KEYS[1])
local before = text and read(cjson.decode(text)) or HEALTHY
-- Microseconds are greater than any number that was given before and forgotten since.
local fresh = math.max(before.generation + 1, math.floor(now * 1e6))
local after = change[ARGV[1]](before, now, fresh, cjson.decode(ARGV[2]))

if after == HEALTHY then
  redis.call('DEL', KEYS[1])
elseif after then
  redis.call('SET', KEYS[1], write(after))
  if after.is ~= 'forced' then
    redis.call('PEXPIRE', KEYS[1], math.ceil((idle_since(after) + ARGV[3] - now) * 1000))
  end
end
if after or jumped then
  redis.call('HSET', KEYS[2], 'latest', number(now), 'ahead', number(now - server))
end

return {text, number(now), number(fresh)}

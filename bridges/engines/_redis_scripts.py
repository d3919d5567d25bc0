# What Redis does in one step for the layer that stores messages. All keys are declared.
#
# A queue is a sorted set: score is when the message was sent, in seconds since 1970 by the
# sender's clock, member the message itself. It expires as a whole with its youngest message.

SEND = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2] - ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
    return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""
"""A queue; message, now, expiry, capacity: 1 if it was taken, 0 if there is no room."""

GROUP_SEND = """
local now, expiry, full = ARGV[1], ARGV[2], 0
for at = 1, #KEYS do
    redis.call('ZREMRANGEBYSCORE', KEYS[at], '-inf', now - expiry)
    if redis.call('ZCARD', KEYS[at]) < tonumber(ARGV[1 + 2 * at]) then
        redis.call('ZADD', KEYS[at], now, ARGV[2 + 2 * at])
        redis.call('EXPIRE', KEYS[at], expiry)
    else
        full = full + 1
    end
end
return full
"""
"""Queues; now, expiry, and for each queue capacity and message: how many had no room."""

RESTORE = """
local kept = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for at = 1, #kept, 2 do
    redis.call('ZADD', KEYS[1], kept[at + 1], kept[at])
end
redis.call('DEL', KEYS[2])
return #kept / 2
"""
"""A queue and the one of what is being read from it: what a reader left there is queued again."""

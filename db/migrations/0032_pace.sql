-- Requests are spread evenly over the minute: a claim gets times at which its calls may start, one after the other.

alter table headgate.provider_gates
    -- squawk-ignore ban-drop-constraint
    drop constraint sixty_slots,
    -- squawk-ignore ban-drop-column
    drop column rate_slots,
    -- squawk-ignore ban-drop-column
    drop column rate_second,
    add column next_start_at timestamptz not null default '2000-01-01 00:00:00+00';

comment on column headgate.provider_gates.next_start_at is
    'When the next request may start that nobody has been granted; those before have their times. Earlier than now: the provider has rested.';
comment on table headgate.provider_gates is 'How a provider stands: the times granted to requests, and its breaker.';
comment on column headgate.providers.requests_per_minute is
    'Requests (not units) that the provider allows in any 60 seconds, spread evenly over them; null: no limit.';
comment on column headgate.providers.burst is
    'Requests that may start at once after a pause; they are missing in the rest of the minute. Null: a tenth of a second''s worth.';

alter table headgate.providers
    -- squawk-ignore adding-field-with-default
    add column starts_at_once integer generated always as (
        greatest(1, least(coalesce(burst, requests_per_minute / 600), (requests_per_minute + 1) / 2))
    ) stored,
    -- squawk-ignore adding-field-with-default
    add column start_every interval generated always as (
        interval '1 minute' / least(
            requests_per_minute / 1.02,
            requests_per_minute + 0.99 - greatest(1, least(coalesce(burst, requests_per_minute / 600), (requests_per_minute + 1) / 2))
        )
    ) stored;

comment on column headgate.providers.starts_at_once is 'Requests that may start at once after a pause.';
comment on column headgate.providers.start_every is
    'Time between the starts of two requests: a minute, wherever it begins, holds no more than requests_per_minute, with two per cent to spare. Null: no limit.';

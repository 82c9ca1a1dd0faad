-- A provider, an operation or a window is blocked until a time; "closed" said of a breaker that it lets calls through.

-- squawk-ignore renaming-column
alter table headgate.provider_gates rename column closed_until to blocked_until;
-- squawk-ignore renaming-column
alter table headgate.provider_gates rename column closed_reason to blocked_reason;
-- squawk-ignore renaming-column
alter table headgate.provider_gates rename column refusals to auth_failures;
-- squawk-ignore renaming-column
alter table headgate.operation_gates rename column closed_until to blocked_until;
-- squawk-ignore renaming-column
alter table headgate.operation_gates rename column closed_reason to blocked_reason;
-- squawk-ignore renaming-column
alter table headgate.quota_windows rename column closed_until to blocked_until;

comment on column headgate.provider_gates.blocked_until is
    'No call is made to the provider before; null: calls flow. After a breaker a probe goes first. Null while opened: one operation failed, and another one probes.';
comment on column headgate.provider_gates.blocked_reason is 'Why it is blocked.';
comment on column headgate.provider_gates.auth_failures is
    'Consecutive internal faults in calling it (a refused token) since its last answer; they block nothing but their execution.';
comment on column headgate.operation_gates.blocked_until is 'It is not called before; null: calls flow. After a breaker a probe goes first.';
comment on column headgate.operation_gates.blocked_reason is 'Why it is blocked.';
comment on column headgate.quota_windows.blocked_until is 'The provider said its quota is used up: no call is made to it before.';

{#- Each squaring doubles the number of steps looked ahead; nobody's path comes near 4,096. -#}
{%- set squarings = 12 -%}
-- noqa: disable=LT02
with transitions as (

    select * from {{ ref('int_channel_transition') }}

),

channels as (

    select distinct from_channel_id as channel_id from transitions

),

-- The chain, and beside each channel a counter that adds up how often it is visited.
power_0 as (

    select
        from_channel_id,
        false as from_counter,
        to_channel_id,
        false as to_counter,
        probability as amount
    from transitions
    where to_channel_id not in ({{ channel_state('contract') }}, {{ channel_state('nothing') }})

    union all

    select
        channel_id as from_channel_id,
        false as from_counter,
        channel_id as to_channel_id,
        true as to_counter,
        1e0 as amount
    from channels

    union all

    select
        channel_id as from_channel_id,
        true as from_counter,
        channel_id as to_channel_id,
        true as to_counter,
        1e0 as amount
    from channels

),

{% for squaring in range(1, squarings + 1) %}
power_{{ squaring }} as (

    select
        first_half.from_channel_id,
        first_half.from_counter,
        second_half.to_channel_id,
        second_half.to_counter,
        sum(first_half.amount * second_half.amount) as amount
    from power_{{ squaring - 1 }} as first_half
    inner join power_{{ squaring - 1 }} as second_half
        on
            first_half.to_channel_id = second_half.from_channel_id
            and first_half.to_counter = second_half.from_counter
    group by first_half.from_channel_id, first_half.from_counter, second_half.to_channel_id, second_half.to_counter

),
{% endfor %}

visits as (

    select
        from_channel_id,
        to_channel_id,
        amount as expected_visits
    from power_{{ squarings }}
    where not from_counter and to_counter

),

contract_chances as (

    select
        visits.from_channel_id as channel_id,
        sum(visits.expected_visits * transitions.probability) as contract_chance
    from visits
    inner join transitions
        on
            visits.to_channel_id = transitions.from_channel_id
            and transitions.to_channel_id = {{ channel_state('contract') }}
    group by visits.from_channel_id

),

whole as (

    select contract_chance from contract_chances
    where channel_id = {{ channel_state('start') }}

),

-- Without a channel are lost the contracts of those who would have come to it: the chance to come to it at all, times
-- the chance of a contract from there.
removals as (

    select
        from_start.to_channel_id as channel_id,
        from_start.expected_visits / from_itself.expected_visits * contract_chances.contract_chance
        / whole.contract_chance as removal_effect
    from visits as from_start
    inner join visits as from_itself
        on
            from_start.to_channel_id = from_itself.from_channel_id
            and from_start.to_channel_id = from_itself.to_channel_id
    inner join contract_chances on from_start.to_channel_id = contract_chances.channel_id
    cross join whole
    where
        from_start.from_channel_id = {{ channel_state('start') }}
        and from_start.to_channel_id <> {{ channel_state('start') }}

)

select * from removals

{#- One row per first day of a month, from the month of one date to that of another (both included), in a select list. -#}
{% macro month_series(from_on, to_on) -%}
    {{ return(adapter.dispatch('month_series')(from_on, to_on)) }}
{%- endmacro %}

{% macro default__month_series(from_on, to_on) -%}
    cast(unnest(generate_series(
        date_trunc('month', {{ from_on }}), date_trunc('month', {{ to_on }}), interval '1 month'
    )) as date)
{%- endmacro %}

{% macro spark__month_series(from_on, to_on) -%}
    explode(sequence(
        cast(date_trunc('month', {{ from_on }}) as date), cast(date_trunc('month', {{ to_on }}) as date), interval 1 month
    ))
{%- endmacro %}

{#-
    A sum of floating-point numbers in a fixed order of its rows, so that the same rows give the same sum to the last bit,
    whichever way they came into the table. Spark has no such sum; there the last bits may differ from run to run.
-#}
{% macro sum_in_order(amount, order_by) -%}
    {{ return(adapter.dispatch('sum_in_order')(amount, order_by)) }}
{%- endmacro %}

{% macro default__sum_in_order(amount, order_by) -%}
    sum({{ amount }} order by {{ order_by | join(', ') }})
{%- endmacro %}

{% macro spark__sum_in_order(amount, order_by) -%}
    sum({{ amount }})
{%- endmacro %}

{#-
    The sum of floating-point numbers of many groups, as exact as the decimals that are kept: the same rows give the same
    sum in any order, at the cost of a plain sum. `decimals` are those of the result, at most 12.
-#}
{% macro sum_of_decimals(amount, decimals) -%}
    {{ number_of_sum(sum_to_add_up(amount, decimals), decimals) }}
{%- endmacro %}

{#- The same in two steps: a sum that can be added to others, and the number that comes of it. -#}
{% macro sum_to_add_up(amount, decimals) -%}
    sum(cast({{ amount }} as decimal(38, {{ decimals + 6 }})))
{%- endmacro %}

{% macro number_of_sum(amount, decimals) -%}
    cast(round({{ amount }}, {{ decimals }}) as double)
{%- endmacro %}

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

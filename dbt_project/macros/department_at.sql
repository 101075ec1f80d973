{#-
    Joins the department an employee belonged to on a day, as the relation `alias` with the column department_id.
    Positions do not overlap in int_employee_department, so the join never multiplies rows. `departments` is the name of
    the CTE that imports it.
-#}
{% macro join_department_at(departments, alias, employee_id, day) -%}
    left join {{ departments }} as {{ alias }}
        on
            {{ employee_id }} = {{ alias }}.employee_id
            and {{ day }} >= {{ alias }}.from_on
            and ({{ alias }}.to_on is null or {{ day }} <= {{ alias }}.to_on)
{%- endmacro %}

import { tagsType } from 'types.bicep'

@description('Part of the resource: blob, table, Sql, namespace, vault or account.')
param groupId string

@description('Region.')
param location string

@description('Name of the endpoint.')
param name string

@description('Resource that the endpoint leads to.')
param resourceId string

@description('Subnet of the endpoint.')
param subnetId string

@description('Tags.')
param tags tagsType

@description('Network that finds the resource by its name.')
param virtualNetworkId string

@description('Private DNS zone. A resource group has each one once.')
param zoneName string

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: zoneName
  location: 'global'
  tags: tags

  resource link 'virtualNetworkLinks' = {
    name: 'network'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: { id: virtualNetworkId }
    }
  }
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      {
        name: groupId
        properties: {
          privateLinkServiceId: resourceId
          groupIds: [groupId]
        }
      }
    ]
  }

  resource dns 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: groupId
          properties: { privateDnsZoneId: zone.id }
        }
      ]
    }
  }
}
